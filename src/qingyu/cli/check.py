"""`qingyu check`: which characters look wrong, and what would fit better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli.texts import DEFAULT_MODEL, AsJson, ModelName, Texts, Threads, answer_texts

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
            help="差多少奈特才算可疑，越大越少报 / Nats of doubt; more of them report less.",
        ),
    ] = None,
    model: ModelName = DEFAULT_MODEL,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """纠错：找出可疑的字并给出建议 / Characters that look wrong, and what would fit.

    例 / Example: qingyu check "今天天汽真好，我们去公圆玩吧。"
    """
    parameters: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    answer_texts(
        texts,
        model,
        threads,
        as_json,
        lambda m, batch: m.check(batch, top_k=top_k, **parameters),
        draw,
    )


def draw(screen: Console, result: CheckResult) -> None:
    """The text with its suspects in red, what would fit each, and the text put right."""
    from rich.text import Text

    shown = Text(result.text, style="bold")
    for suspect in result.suspects:
        shown.stylize("red underline", suspect.start, suspect.end)
    screen.print(shown)
    for suspect in result.suspects:
        better = "  ".join(f"{one.token} {one.score:.1%}" for one in suspect.candidates)
        screen.print(f"    {suspect.start + 1}: {suspect.text} {suspect.score:.2%} → {better}")
    if result.suspects:
        screen.print(Text.assemble(("  → ", "dim"), result.corrected))
    else:
        screen.print(Text("    没有可疑的字 / nothing looks wrong", style="dim"))
