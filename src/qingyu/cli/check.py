"""`qingyu check`: which characters look wrong, and what would fit better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu import bundle
from qingyu.cli.texts import AsJson, ModelName, Texts, Threads, answer_texts

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.results import CheckResult


def check(
    texts: Texts = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, help="每处给几个建议 / Suggestions for each.")
    ] = 5,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="把握多大才改，0 到 1；不到的只作提示 / Confidence from which to change; others "
            "are hints.",
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="不查的词，可重复 / A word never suspected; repeatable."),
    ] = None,
    punctuation: Annotated[
        bool, typer.Option("--punctuation", help="也查标点 / Punctuation too.")
    ] = False,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """纠错：找出错别字并给出建议 / Wrong characters, and what was meant.

    例 / Example: qingyu check "今天天汽真好，我们去公圆玩吧。"
    """
    parameters: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    parameters |= {"keep": keep or [], "check_punctuation": punctuation}
    answer_texts(
        texts,
        model,
        threads,
        as_json,
        lambda m, batch: m.check(batch, top_k=top_k, **parameters),
        draw,
    )


def draw(screen: Console, result: CheckResult) -> None:
    """The text with its suspects marked, why and what would fit each, and the text put right."""
    from rich.text import Text

    shown = Text(result.text, style="bold")
    for suspect in result.suspects:
        style = "red underline" if suspect.changed else "yellow underline"
        shown.stylize(style, suspect.start, suspect.end)
    screen.print(shown)
    if result.script == "traditional":
        said = "    繁体文本，只作提示 / traditional text: hints only"
        screen.print(Text(said, style="dim"))
    for suspect in result.suspects:
        better = "  ".join(f"{one.token} {one.score:.1%}" for one in suspect.candidates)
        hint = "" if suspect.changed else "（提示 / hint）"
        told = f"    {suspect.start + 1}: {suspect.text} → {better or '?'}  {suspect.reason}{hint}"
        screen.print(Text(told))
    if result.corrected != result.text:
        screen.print(Text.assemble(("  → ", "dim"), result.corrected))
    elif not result.suspects:
        screen.print(Text("    没有可疑的字 / nothing looks wrong", style="dim"))
