"""The columns a task reads, and the columns its result adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta

from qingyu.errors import EmptyTextError, InputError
from qingyu.tasks.registry import file_task
from qingyu.tasks.shapes import Cell, Fields

from .errors import FileError, RowError, short
from .rows import Cells
from .tables import plain

LISTED = 20  # columns named in an error


@dataclass(frozen=True)
class Inputs:
    """The columns that a task reads: one, or two for a pair."""

    names: tuple[str, ...]

    def of(self, cells: Cells, max_characters: int | None = None) -> tuple[str, ...]:
        """The texts of a row. Raises RowError and EmptyTextError."""
        texts = []
        for name in self.names:
            told = short(name)
            if name not in cells:
                raise RowError(f"没有「{told}」列。", f"has no column {told!r}.")
            value = cells[name]
            if isinstance(value, date | time | timedelta):
                value = plain(value)
            if value is not None and not isinstance(value, str | int | float):
                raise RowError(f"「{told}」列不是文字。", f"holds no text in column {told!r}.")
            text = "" if value is None else str(value)
            if not text.strip():
                raise EmptyTextError
            if max_characters is not None and len(text) > max_characters:
                raise RowError(
                    f"「{told}」列有 {len(text)} 个字符，最多 {max_characters} 个。",
                    f"holds {len(text)} characters in column {told!r}; {max_characters} are read.",
                )
            texts.append(text)
        return tuple(texts)


def choose(task: str, wanted: Sequence[str | None], available: Sequence[str]) -> Inputs:
    """Which columns to read: those wanted, else `text` (and `text_pair`), else the only ones.

    `available` is empty where rows differ. Raises FileError, InputError and TaskNotSupportedError.
    """
    names = [name for name in wanted if name is not None]
    if file_task(task).pair == "never" and len(names) > 1:
        raise InputError(
            f"任务 {task} 只读一列，去掉 --pair。", f"{task} reads one column; leave out --pair."
        )
    missing = [name for name in names if available and name not in available]
    if not names:
        usual = ["text", "text_pair"] if file_task(task).pair == "always" else ["text"]
        if not available or set(usual) <= set(available):
            names = usual
        elif len(available) == len(usual):
            names = list(available)
    if missing or not names:
        listed = [short(name) for name in available[:LISTED]]
        what_zh, what_en = "不知道该读哪一列", "leaves open which column to read"
        if missing:
            name = short(missing[0])
            what_zh, what_en = f"没有「{name}」列", f"has no column {name!r}"
        raise FileError(
            f"输入{what_zh}；有：{'、'.join(listed)}。用 --column 指定。",
            f"The input {what_en}; there are: {', '.join(listed)}. Name it: --column.",
        )
    if file_task(task).pair == "always" and len(names) != 2:
        raise FileError(
            f"任务 {task} 读两列：--column 与 --pair。",
            f"{task} reads two columns: --column and --pair.",
        )
    return Inputs(tuple(names))


def names_of(task: str) -> list[str]:
    """The columns that a result adds to a table."""
    return list(file_task(task).table.columns)


def cells_of(task: str, result: Fields) -> list[Cell]:
    """Their values for one result, in the order of `names_of`."""
    return file_task(task).table.cells(result)


def without_inputs(result: Fields) -> Fields:
    """A result beside its row need not repeat the texts."""
    return {name: value for name, value in result.items() if name not in {"text", "text_pair"}}
