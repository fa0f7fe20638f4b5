"""`qingyu classify`: the labels that a head of the model was trained for, such as sentiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qingyu import bundle
from qingyu.cli.texts import (
    AsJson,
    HeadName,
    ModelName,
    Texts,
    Threads,
    answer_texts,
    attached,
    draw_bars,
    draw_text,
)

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.results import ClassificationResult


def classify(
    texts: Texts = None,
    head: HeadName = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", "-k", min=1, help="只给前几个标签 / Only the best.")
    ] = None,
    uncertain: Annotated[
        bool, typer.Option("--uncertain", help="没把握时答“不确定” / Say so where it is not sure.")
    ] = False,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """分类：默认判断情感 / Classify texts; by default, their sentiment.

    例 / Example: qingyu classify "味道很好，下次还来！"
    """
    answer_texts(
        texts,
        model,
        threads,
        as_json,
        lambda m, batch: m.classify(
            batch, head=attached(m, head), top_k=top_k, uncertain=uncertain
        ),
        draw,
    )


def draw(screen: Console, result: ClassificationResult) -> None:
    draw_text(screen, result.text, truncated=result.truncated)
    if result.label not in result.labels:
        screen.print(f"    {result.label}")
    draw_bars(screen, zip(result.labels, result.scores, strict=True))
