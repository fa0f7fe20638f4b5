"""`qingyu fill`: answer masks from the command line, or line by line from standard input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qingyu import bundle
from qingyu.cli.texts import AsJson, ModelName, PhraseFiles, Threads, answer_texts, draw_bars

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.results import FillMaskResult


def fill(
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT|FILE",
            help="含 [MASK] 的文本或文件；不写则逐行读标准输入 / Text with [MASK], or a file; "
            "none: lines of stdin.",
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, help="每个空给几个候选 / Candidates per mask.")
    ] = 5,
    model: ModelName = bundle.DEFAULT,
    phrases: PhraseFiles = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """填空：给出 [MASK] 处最可能的字词 / Fill the masks in a text.

    例 / Example: qingyu fill "今天天气真[MASK]啊，适合出去玩。"
    """
    answer_texts(
        texts,
        model,
        threads,
        as_json,
        ask=lambda loaded, batch: loaded.fill_mask(batch, top_k=top_k),
        draw=_draw,
        phrases=phrases,
    )


def _draw(screen: Console, result: FillMaskResult) -> None:
    from rich.text import Text

    screen.print(Text(result.text, style="bold"))
    for number, mask in enumerate(result.masks, start=1):
        if len(result.masks) > 1:
            screen.print(Text(f"  空 {number} / mask {number}", style="dim"))
        draw_bars(screen, [(candidate.token, candidate.score) for candidate in mask.candidates])
    screen.print(Text.assemble(("  → ", "dim"), result.sequence))
    if result.truncated:
        screen.print(
            Text("  （文本过长，只读了空附近的一段 / only a window around the masks was read）")
        )
