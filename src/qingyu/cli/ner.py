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
    read_texts,
)
from qingyu.errors import InputError

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
    gazetteer: Annotated[
        str | None,
        typer.Option(
            "--gazetteer",
            help="自己的名称，每行一个，制表符后是标签 / A file of names; tab, label.",
        ),
    ] = None,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """实体：找出人名、地名、机构名 / Names of people, places and organisations.

    例 / Example: qingyu ner "王小明在北京大学读书。"
    """
    names = None if gazetteer is None else read_gazetteer(gazetteer)
    answer_texts(
        texts,
        model,
        threads,
        as_json,
        lambda m, batch: m.token_classification(
            batch,
            aggregation_strategy=strategy,  # type: ignore[arg-type]  # the task checks it
            head=head,
            gazetteer=names,
        ),
        draw,
    )


def read_gazetteer(path: str) -> dict[str, str]:
    """Names and their labels, from a file with one on each line. Raises InputError."""
    found = {}
    for line in read_texts(path):
        name, _, label = (part.strip() for part in line.partition("\t"))
        if not name or not label:
            raise InputError(
                f"{path} 的每行应是名称、制表符、标签：{line}",
                f"Each line of {path} should be a name, a tab and its label: {line}",
            )
        found[name] = label
    return found


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
