"""Documents checked from the command line: shown, corrected copies, reports, diffs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from qingyu.cli import console
from qingyu.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.jobs.document import Document
    from qingyu.model import Model
    from qingyu.results import CheckResult

TOGETHER = 16  # paragraphs checked at once, and shown as soon as they are


@dataclass(frozen=True)
class CheckOrder:
    """What to do with which files; `parameters` are those of the task."""

    files: Sequence[Path]
    out: Path | None
    report: Path | None
    diff: bool
    as_json: bool
    parameters: Mapping[str, Any]
    model: str
    threads: int | None
    phrases: tuple[Path, ...] = ()


def check_files(order: CheckOrder, draw: Callable[[Console, CheckResult], None]) -> bool:
    """Check files one after the other; whether anything was changed in any.

    Raises InputError and FileError.
    """
    import qingyu
    from qingyu.jobs.documents import read_document

    if order.report and order.report.suffix not in (".md", ".json"):
        raise InputError("--report 应是 .md 或 .json。", "--report should be a .md or .json file.")
    changed = False
    loaded = qingyu.load(order.model, threads=order.threads).with_phrases(*order.phrases)
    with closing(loaded) as model:
        for path in order.files:
            document = read_document(path)
            console.note(f"检查文件 {path}", f"checking the file {path}")
            if document.unchecked[0]:
                zh, en = document.unchecked
                console.note(f"未检查：{zh}", f"not checked: {en}")
            results: dict[int, CheckResult] = {}
            for number, result in checked(model, document, order.parameters):
                results[number] = result
                _show(order, path, number, result, draw)
            changed = changed or any(one.corrected != one.text for one in results.values())
            _finish(order, path, document, results)
    return changed


def checked(
    model: Model, document: Document, parameters: Mapping[str, Any]
) -> Iterator[tuple[int, CheckResult]]:
    """Numbers of paragraphs and their results, some at a time."""
    numbers = list(document.paragraphs)
    for at in range(0, len(numbers), TOGETHER):
        some = numbers[at : at + TOGETHER]
        results = model.check([document.paragraphs[number] for number in some], **parameters)
        yield from zip(some, results, strict=True)


def _show(
    order: CheckOrder,
    path: Path,
    number: int,
    result: CheckResult,
    draw: Callable[[Console, CheckResult], None],
) -> None:
    if order.as_json:
        console.print_json({"file": str(path), "paragraph": number, **result.to_dict()})
    elif order.diff:
        return
    elif result.suspects:
        typer.secho(f"{path}:{number}", fg="cyan")
        draw(console.rich_console(), result)


def _finish(
    order: CheckOrder, path: Path, document: Document, results: Mapping[int, CheckResult]
) -> None:
    """What comes once the whole document has been read."""
    from qingyu.jobs.document import changes_of, write_whole

    if order.diff:
        before = [result.text for result in results.values()]
        after = [result.corrected for result in results.values()]
        typer.echo("\n".join(diff_of(str(path), before, after)))
    hits = [one for result in results.values() for one in result.suspects]
    sure = sum(one.changed for one in hits)
    console.note(
        f"{path}：{len(results)} 段，改 {sure} 处，另有 {len(hits) - sure} 处提示",
        f"{len(results)} paragraphs, {sure} changes, {len(hits) - sure} hints",
    )
    if order.report:
        write_whole(order.report, report_of(path, results, order.report.suffix).encode())
        console.note(f"报告写到 {order.report}", f"report written to {order.report}")
    if order.out:
        document.write(order.out, {n: changes_of(one) for n, one in results.items()})
        console.note(f"改好的写到 {order.out}", f"corrected copy written to {order.out}")


def diff_of(name: str, before: Sequence[str], after: Sequence[str]) -> list[str]:
    """A unified diff of paragraphs; empty where nothing changed."""
    return list(difflib.unified_diff(before, after, name, name, lineterm="", n=0))


def report_of(path: Path, results: Mapping[int, CheckResult], kind: str) -> str:
    """What was found, as JSON or as a table of Markdown."""
    suspects = [(number, one) for number, result in results.items() for one in result.suspects]
    if kind == ".json":
        rows = [
            {
                "paragraph": number,
                "start": one.start,
                "text": one.text,
                "candidates": [candidate.token for candidate in one.candidates],
                "reason": one.reason,
                "confidence": round(one.confidence, 4),
                "changed": one.changed,
            }
            for number, one in suspects
        ]
        return json.dumps({"file": str(path), "suspects": rows}, ensure_ascii=False, indent=1)
    heads = ("段", "字", "原文", "建议", "原因", "把握", "已改")
    lines = [f"# {path.name}", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for number, one in suspects:
        better = "、".join(candidate.token for candidate in one.candidates) or "?"
        done = "是" if one.changed else "提示"
        cells = (number, one.start + 1, one.text, better, one.reason, f"{one.confidence:.0%}", done)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"
