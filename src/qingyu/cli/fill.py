"""`qingyu fill`: answer masks from the command line, or line by line from standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from qingyu.cli import console
from qingyu.cli.lines import Line, arguments_as_lines, read_lines
from qingyu.errors import InputError

if TYPE_CHECKING:
    from qingyu.model import Model
    from qingyu.types import FillMaskResult

BAR_WIDTH = 30


def fill(
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help="含 [MASK] 的文本；不写则逐行读标准输入 / Text with [MASK]; none: lines of stdin.",
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, help="每个空给几个候选 / Candidates per mask.")
    ] = 5,
    model: Annotated[
        str, typer.Option("--model", "-m", help="模型名或目录 / Name or directory of a bundle.")
    ] = "qingyu-small-zh",
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", min=1, help="线程数，默认随可用 CPU / Default: the CPUs allowed."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="每条结果一行 JSON / One line of JSON per text.")
    ] = False,
) -> None:
    """填空：给出 [MASK] 处最可能的字词 / Fill the masks in a text.

    例 / Example: qingyu fill "今天天气真[MASK]啊，适合出去玩。"
    """
    batches = _batches(texts)
    import qingyu

    bad = False
    show = _show_json if as_json else _table()
    with closing(qingyu.load(model, threads=threads)) as loaded:
        for batch in batches:
            for line, answer in zip(batch, _answer(loaded, batch, top_k), strict=True):
                if isinstance(answer, InputError):
                    bad = True
                    _refuse(line, answer, as_json=as_json)
                else:
                    show(answer)
            sys.stdout.flush()
    if bad:
        raise typer.Exit(console.BAD_INPUT)


def _batches(texts: list[str] | None) -> Iterable[list[Line]]:
    if texts:
        return [arguments_as_lines(texts)]
    if sys.stdin.isatty():
        console.note("输入文本，每行一句，Ctrl-D 结束", "one text a line, Ctrl-D ends")
    return read_lines(sys.stdin.buffer)


def _answer(model: Model, batch: list[Line], top_k: int) -> Iterator[FillMaskResult | InputError]:
    """One answer a line, in order: what a bad line says about itself never hides its neighbours."""
    good = [line.text for line in batch if line.error is None]
    answers = iter(_fill(model, good, top_k))
    for line in batch:
        yield line.error if line.error is not None else next(answers)


def _fill(model: Model, texts: list[str], top_k: int) -> list[FillMaskResult | InputError]:
    """Fill all texts together; where one is refused, halve until it stands alone."""
    if not texts:
        return []
    try:
        return list(model.fill_mask(texts, top_k=top_k))
    except InputError as error:
        if len(texts) == 1:
            return [error]
    middle = len(texts) // 2
    return _fill(model, texts[:middle], top_k) + _fill(model, texts[middle:], top_k)


def _refuse(line: Line, error: InputError, *, as_json: bool) -> None:
    console.complain(f"{line.label_zh}{error.zh}", f"{line.label_en}{error.en}")
    if as_json:
        said = {"code": error.code, "message": error.zh, "message_en": error.en}
        console.print_json({"line": line.number, "text": line.text, "error": said})


def _show_json(result: FillMaskResult) -> None:
    console.print_json(result.to_dict())


def _table() -> Callable[[FillMaskResult], None]:
    """Draw results for a person; rich is loaded while drawing the first."""
    from rich.bar import Bar
    from rich.table import Table
    from rich.text import Text

    screen = console.rich_console()

    def show(result: FillMaskResult) -> None:
        screen.print(Text(result.text, style="bold"))
        for number, mask in enumerate(result.masks, start=1):
            if len(result.masks) > 1:
                screen.print(Text(f"  空 {number} / mask {number}", style="dim"))
            rows = Table.grid(padding=(0, 1))
            for candidate in mask.candidates:
                bar = Bar(size=1, begin=0, end=candidate.score, width=BAR_WIDTH, color="green")
                rows.add_row("   ", Text(candidate.token), bar, f"{candidate.score:6.1%}")
            screen.print(rows)
        screen.print(Text.assemble(("  → ", "dim"), result.sequence))
        if result.truncated:
            screen.print(
                Text("  （文本过长，只读了空附近的一段 / only a window around the masks was read）")
            )

    return show
