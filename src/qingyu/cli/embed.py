"""`qingyu embed`: texts as vectors, and the lines of a file that lie closest to a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qingyu import bundle
from qingyu.cli.files import refuse_files
from qingyu.cli.texts import (
    AsJson,
    ModelName,
    Texts,
    Threads,
    answer_once,
    answer_texts,
    draw_bars,
    draw_text,
    read_texts,
)
from qingyu.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.model import Model
    from qingyu.results import EmbeddingResult, RankResult


def embed(
    texts: Texts = None,
    against: Annotated[
        str | None,
        typer.Option("--against", help="在文件各行中找最相近的 / Search the lines of a file."),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, help="找几条 / How many to find.")
    ] = 10,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """向量：把文本变成向量，或按余弦找相近的文本 / Vectors, or a search by their cosine.

    例 / Example: qingyu embed --json "今天天气真好。"
    """
    if against is None:
        answer_texts(texts, model, threads, as_json, lambda m, batch: m.embed(batch), draw)
        return
    refuse_files(*texts or ())
    if texts is None or len(texts) != 1:
        raise InputError(
            "--against 需要恰好一段文本。", "--against takes exactly one text beside it."
        )
    lines = read_texts(against)
    answer_once(model, threads, as_json, lambda m: nearest(m, texts[0], lines, top_k), draw_nearest)


def nearest(model: Model, text: str, lines: list[str], top_k: int) -> RankResult:
    """The lines whose vectors have the largest cosine with that of the text."""
    import numpy as np

    from qingyu.results import Ranked, RankResult

    query, *vectors = model.embed([text, *lines])
    cosines = np.array([one.embedding for one in vectors]) @ np.array(query.embedding)
    best = np.argsort(-cosines, kind="stable")[:top_k].tolist()
    ranking = tuple(Ranked(i, lines[i], float(cosines[i]), vectors[i].truncated) for i in best)
    return RankResult(text, ranking, query.truncated or any(one.truncated for one in vectors))


def draw(screen: Console, result: EmbeddingResult) -> None:
    draw_text(screen, result.text, truncated=result.truncated)
    numbers = ", ".join(f"{value:.4f}" for value in result.embedding[:6])
    screen.print(f"    [{numbers}, …]  {len(result.embedding)} 维 / numbers")


def draw_nearest(screen: Console, result: RankResult) -> None:
    draw_text(screen, result.text, truncated=result.truncated)
    draw_bars(screen, [(one.text, one.score) for one in result.ranking])
