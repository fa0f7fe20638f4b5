"""`qingyu check`: wrong characters in texts and documents, and what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu import bundle
from qingyu.cli.check_files import CheckOrder, check_files, diff_of
from qingyu.cli.files import files_among
from qingyu.cli.texts import AsJson, ModelName, PhraseFiles, Threads, answer_texts, read_texts
from qingyu.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.model import Model
    from qingyu.results import CheckResult

FOUND = 1  # exit status of --fail-on-suspects


def check(
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT|FILE",
            help="文本，或 .txt、.md、.docx 文件；不写则逐行读标准输入 / Text, or a file; none: "
            "lines of stdin.",
        ),
    ] = None,
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
    keep_file: Annotated[
        str | None,
        typer.Option("--keep-file", help="不查的词，一行一个 / A file of such words, one a line."),
    ] = None,
    punctuation: Annotated[
        bool, typer.Option("--punctuation", help="也查标点 / Punctuation too.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="改好的文件写到哪里；.docx 为修订 / Corrected copy; in .docx as tracked changes.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="把发现的问题写成 .md 或 .json / What was found, as a file."),
    ] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="只显示改动 / Show only what would change, as a diff.")
    ] = False,
    fail_on_suspects: Annotated[
        bool,
        typer.Option(
            "--fail-on-suspects", help="有要改的字则退出码为 1 / Exit status 1 if anything changed."
        ),
    ] = False,
    model: ModelName = bundle.DEFAULT,
    phrases: PhraseFiles = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """纠错：找出错别字并给出建议 / Wrong characters, and what was meant.

    已存在的路径按文件读 / A path that exists is read as a file.

    例 / Example: qingyu check "今天天汽真好，我们去公圆玩吧。"
    """
    kept = [*(keep or []), *(read_texts(keep_file) if keep_file else [])]
    parameters: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    parameters |= {"top_k": top_k, "keep": kept, "check_punctuation": punctuation}
    files = files_among(texts or [])
    if (out or report) and len(files) != 1:
        raise InputError(
            "--out 与 --report 需要恰好一个文件。", "--out and --report take exactly one file."
        )
    changed = False
    if files:
        order = CheckOrder(
            files, out, report, diff, as_json, parameters, model, threads, tuple(phrases or ())
        )
        changed = check_files(order, draw)
    else:

        def ask(loaded: Model, batch: list[str]) -> Sequence[CheckResult]:
            nonlocal changed
            results: list[CheckResult] = loaded.check(batch, **parameters)
            changed = changed or any(one.corrected != one.text for one in results)
            return results

        shown = draw_diff if diff else draw
        answer_texts(texts, model, threads, as_json, ask, shown, phrases)
    if changed and fail_on_suspects:
        raise typer.Exit(FOUND)


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


def draw_diff(screen: Console, result: CheckResult) -> None:
    """What would change in a text, or nothing."""
    for line in diff_of("", [result.text], [result.corrected])[2:]:
        screen.print(line)
