"""`qingyu ner`: names of people, places and organisations in a text."""

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
)

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.results import TokenClassificationResult

COLOURS = ("green", "yellow", "cyan", "magenta", "blue", "red")


def ner(
    texts: Texts = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            help="合并词元：none、simple、first、average、max、viterbi / How tokens are joined.",
        ),
    ] = None,
    head: HeadName = None,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """实体：找出人名、地名、机构名 / Names of people, places and organisations.

    例 / Example: qingyu ner "王小明在北京大学读书。"
    """
    answer_texts(
        texts,
        model,
        threads,
        as_json,
        lambda m, batch: m.token_classification(
            batch,
            aggregation_strategy=strategy,  # type: ignore[arg-type]  # the task checks it
            head=head,
        ),
        draw,
    )


def draw(screen: Console, result: TokenClassificationResult) -> None:
    """The text with its entities in colour, and a line for each."""
    from rich.text import Text

    kinds = sorted({one.label for one in result.entities})
    colours = {kind: COLOURS[i % len(COLOURS)] for i, kind in enumerate(kinds)}
    shown = Text(result.text, style="bold")
    for one in result.entities:
        shown.stylize(colours[one.label], one.start, one.end)
    screen.print(shown)
    for one in result.entities:
        name = Text(one.text, style=colours[one.label])
        screen.print(Text.assemble(f"    {one.label}  ", name, f"  {one.score:.1%}"))
    if not result.entities:
        screen.print(Text("    没有找到 / none found", style="dim"))
