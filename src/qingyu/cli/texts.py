"""Shared by all commands that answer texts: their options, and computing the answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import typer

from qingyu.cli import console
from qingyu.cli.files import files_among, paragraphs
from qingyu.cli.lines import InputLine, arguments_as_lines, read_lines
from qingyu.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.model import Model
    from qingyu.results import Result

R = TypeVar("R", bound="Result")
BAR_WIDTH = 30
CONVERTED = "    繁体文本，按简体形式读 / traditional text, read by its simplified form"

Texts: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TEXT|FILE",
        help="文本，或 .txt、.md、.docx 文件；不写则逐行读标准输入 / Text, or a file; none: lines "
        "of stdin.",
    ),
]
ModelName: TypeAlias = Annotated[
    str, typer.Option("--model", "-m", help="模型名或目录 / Name or directory of a bundle.")
]
Threads: TypeAlias = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="线程数，默认随可用 CPU / Default: the CPUs allowed."),
]
DeviceName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="cpu|cuda|auto",
        help="在哪里计算，默认 cpu / Where to compute; default: cpu.",
    ),
]
GpuMemory: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--gpu-memory",
        metavar="SIZE",
        help="最多用多少显存，如 1GB，放不下的层在 CPU 上算 / Memory of the GPU to use, such as "
        "1GB; layers that do not fit are computed on the CPU.",
    ),
]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="每条结果一行 JSON / One line of JSON per text.")
]
PhraseFiles: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--phrases",
        help="再用这份短语记忆，可写多次 / One more phrase memory; may come again.",
    ),
]
HeadName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--head", help="用哪个头，或学成的头的目录 / Which head, or a taught one's folder."
    ),
]


def answer_texts(
    texts: list[str] | None,
    model: str,
    threads: int | None,
    as_json: bool,
    ask: Callable[[Model, list[str]], Sequence[R]],
    draw: Callable[[Console, R], None],
    phrases: Sequence[Path] | None = None,
) -> None:
    """Answer arguments, paragraphs of files, or lines of standard input as they arrive, in order.

    `ask` answers several texts together. A text that is refused is told on standard error, does
    not keep the others from their answers, and makes the exit status 2.
    """
    batches = _batches(texts)
    import qingyu

    show = _shown(as_json, draw)
    bad = False
    with closing(qingyu.load(model, threads=threads).with_phrases(*phrases or ())) as loaded:
        for batch in batches:
            good = [line.text for line in batch if line.error is None]
            answers = iter(_ask(loaded, good, ask))
            for line in batch:
                answer = line.error if line.error is not None else next(answers)
                if isinstance(answer, InputError):
                    bad = True
                    _refuse(line, answer, as_json=as_json)
                else:
                    show(answer)
            sys.stdout.flush()
    if bad:
        raise typer.Exit(console.BAD_INPUT)


def answer_once(
    model: str,
    threads: int | None,
    as_json: bool,
    ask: Callable[[Model], R],
    draw: Callable[[Console, R], None],
) -> None:
    """One question, one answer."""
    import qingyu

    with closing(qingyu.load(model, threads=threads)) as loaded:
        _shown(as_json, draw)(ask(loaded))


def attached(model: Model, head: str | None) -> str | None:
    """The name of a head; where it is the folder of one that was taught, the model knows it then.
    Raises BundleError."""
    from pathlib import Path

    from qingyu.taught import ABOUT

    if head is not None and head not in model.context.heads and (Path(head) / ABOUT).is_file():
        return model.attach(head)
    return head


def equipped(model: Model, parameters: dict[str, Any]) -> tuple[Model, dict[str, Any]]:
    """The model with the taught head or the index that parameters name by its folder, and the
    parameters with its name. Raises BundleError."""
    own = dict(parameters)
    if isinstance(own.get("head"), str):
        own["head"] = attached(model, own["head"])
    if isinstance(own.get("index"), str):
        from qingyu.search.index import Index

        index = Index(own["index"])
        model, own["index"] = model.equipped(index), index.name
    return model, own


def draw_bars(screen: Console, rows: Iterable[tuple[str, float]]) -> None:
    """Names with a probability each, as bars; a score that is no probability as a number."""
    from rich.bar import Bar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for name, score in rows:
        share = 0 <= score <= 1
        bar = Bar(size=1, begin=0, end=score if share else 0, width=BAR_WIDTH, color="green")
        table.add_row("   ", Text(name), bar, f"{score:6.1%}" if share else f"{score:.3g}")
    screen.print(table)


def draw_text(screen: Console, text: str, *, truncated: bool = False) -> None:
    """The text an answer is about, and whether some of it was not read."""
    from rich.text import Text

    screen.print(Text(text, style="bold"))
    if truncated:
        screen.print(Text("  （文本过长，只读了一部分 / only a part of the text was read）", "dim"))


def read_texts(path: str) -> list[str]:
    """The lines of a text file that are not blank, in whatever encoding. Raises InputError."""
    from pathlib import Path

    from qingyu.text.encodings import lines_of

    texts = [line.strip() for line in lines_of(Path(path)) if line.strip()]
    if not texts:
        raise InputError(f"{path} 中没有文本。", f"There is no text in {path}.")
    return texts


def _shown(as_json: bool, draw: Callable[[Console, R], None]) -> Callable[[R], None]:
    if as_json:
        return lambda result: console.print_json(result.to_dict())
    screen = console.rich_console()

    def shown(result: R) -> None:
        draw(screen, result)
        if getattr(result, "converted", False):
            screen.print(CONVERTED, style="dim")

    return shown


def _batches(texts: list[str] | None) -> Iterable[list[InputLine]]:
    if texts and (files := files_among(texts)):
        return paragraphs(files)
    if texts:
        return [arguments_as_lines(texts)]
    if sys.stdin.isatty():
        console.note("输入文本，每行一句，Ctrl-D 结束", "one text a line, Ctrl-D ends")
    return read_lines(sys.stdin.buffer)


def _ask(
    model: Model, texts: list[str], ask: Callable[[Model, list[str]], Sequence[R]]
) -> list[R | InputError]:
    """Ask about all texts together; where one is refused, halve until it stands alone."""
    if not texts:
        return []
    try:
        return list(ask(model, texts))
    except InputError as error:
        if len(texts) == 1:
            return [error]
    middle = len(texts) // 2
    return _ask(model, texts[:middle], ask) + _ask(model, texts[middle:], ask)


def _refuse(line: InputLine, error: InputError, *, as_json: bool) -> None:
    console.complain(f"{line.label_zh}{error.zh}", f"{line.label_en}{error.en}")
    if as_json:
        said = {"code": error.code, "message": error.zh, "message_en": error.en}
        console.print_json({"line": line.number, "text": line.text, "error": said})
