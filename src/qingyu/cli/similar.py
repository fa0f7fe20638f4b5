"""`qingyu similar`: do two texts mean the same, or which lines of a file come closest to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qingyu import bundle
from qingyu.cli.files import refuse_files
from qingyu.cli.texts import (
    AsJson,
    HeadName,
    ModelName,
    Threads,
    answer_once,
    answer_texts,
    draw_bars,
    draw_text,
    read_texts,
)
from qingyu.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from qingyu.model import Model
    from qingyu.results import RankResult, SimilarityResult


def similar(
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT",
            help="文本；不写则从标准输入读以制表符分开的句对 / Text; none: tabbed pairs on stdin.",
        ),
    ] = None,
    other: Annotated[
        str | None, typer.Argument(metavar="OTHER", help="另一段文本 / Another text.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", help="与文件各行比较并排序 / Rank the lines of a file."),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, help="排序时给出几条 / How many when ranking.")
    ] = 10,
    head: HeadName = None,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """相似：两句话意思是否相同，或在文件中找最相近的 / Whether two texts mean the same.

    例 / Example: qingyu similar "怎么修改密码" "如何更改登录密码"
    """
    refuse_files(text, other)
    if against is not None:
        if text is None or other is not None:
            raise InputError(
                "--against 需要恰好一段文本。", "--against takes exactly one text beside it."
            )
        texts = read_texts(against)
        answer_once(
            model, threads, as_json, lambda m: m.rank(text, texts, top_k=top_k, head=head), ranked
        )
        return
    if text is not None and other is None:
        raise InputError(
            "请给出两段文本，或用 --against 给出文件。", "Give two texts, or a file with --against."
        )

    def ask(loaded: Model, lines: list[str]) -> Sequence[SimilarityResult]:
        pairs = [_pair(line) for line in lines]
        return loaded.similarity([a for a, _ in pairs], [b for _, b in pairs], head=head)

    answer_texts(
        None if text is None else [f"{text}\t{other}"], model, threads, as_json, ask, compared
    )


def compared(screen: Console, result: SimilarityResult) -> None:
    draw_text(screen, result.text)
    draw_text(screen, result.text_pair, truncated=result.truncated)
    draw_bars(screen, [(result.label, result.score)])


def ranked(screen: Console, result: RankResult) -> None:
    draw_text(screen, result.text, truncated=result.truncated)
    draw_bars(screen, [(one.text, one.score) for one in result.ranking])


def _pair(line: str) -> tuple[str, str]:
    first, tab, second = line.partition("\t")
    if not tab or "\t" in second:
        raise InputError(
            "每行应有两段文本，中间一个制表符。",
            "Each line should have two texts with a tab between.",
        )
    return first, second
