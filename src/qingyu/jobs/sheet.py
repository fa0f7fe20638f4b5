"""A sheet of an XLSX file as rows: its XML streamed, every count bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import IO, Any, cast

from .errors import FileError, RowError
from .rows import CELL_BYTES
from .sources import MAX_COLUMNS
from .tables import too_large
from .workbook_parts import Styles, unescaped
from .xml import parse

MAX_ROWS = 1_048_576
LAST_DAY = 2_958_466  # the day after 9999-12-31
MILLISECONDS = 86_400_000
LONGEST_WHOLE = 100  # digits
FIRST_OF_MARCH = 61  # 1900-02-29 is day 60, and never was


@dataclass(frozen=True)
class RawRow:
    """`number` is the row's in the sheet; a row that cannot be read has an `error`."""

    number: int
    cells: list[Any]
    size: int
    error: RowError | None = None


class SheetRows:
    """The rows that a sheet holds, in order; those that it leaves out are blank."""

    def __init__(
        self, stream: IO[bytes], strings: Sequence[str | None], styles: Styles, limit: int
    ) -> None:
        self._stream = stream
        self._strings = strings
        self._styles = styles
        self._limit = limit
        self.read_bytes = 0
        self._ready: list[RawRow] = []
        self._number = 0
        self._begin_row({})
        self._number = 0
        self._begin_cell({})

    def __iter__(self) -> Iterator[RawRow]:
        with self._stream:
            binary = cast(Any, self._stream)
            for read in parse(binary, self._start, self._end, self._text):
                self.read_bytes = read
                yield from self._ready
                self._ready = []
            yield from self._ready

    def _begin_row(self, given: dict[str, str]) -> None:
        number = _number(given.get("r", ""))
        self._number = number if number > self._number else self._number + 1
        if self._number > MAX_ROWS:
            raise FileError(
                f"超过 {MAX_ROWS} 行，不是有效的工作表。",
                f"has more than {MAX_ROWS} rows, which no sheet has.",
            )
        self._cells: list[Any] = []
        self._size = 0
        self._error: RowError | None = None

    def _begin_cell(self, given: dict[str, str]) -> None:
        column = _column(given["r"]) if "r" in given else len(self._cells) + 1
        self._column = column if column > len(self._cells) else len(self._cells) + 1
        self._kind = given.get("t", "n")
        self._style = _number(given.get("s", ""))
        self._value: list[str] = []
        self._taking = False
        self._phonetic = 0

    def _start(self, tag: str, given: dict[str, str]) -> None:
        if tag == "c":
            self._begin_cell(given)
        elif tag == "v" or tag == "t":
            self._taking = not self._phonetic
        elif tag == "row":
            self._begin_row(given)
        elif tag == "rPh":
            self._phonetic += 1

    def _text(self, data: str) -> None:
        if self._taking and self._error is None:
            self._size += len(data.encode())
            self._value.append(data)
            if self._size > self._limit:
                self._fail(too_large(self._size))

    def _end(self, tag: str) -> None:
        if tag == "v" or tag == "t":
            self._taking = False
        elif tag == "c":
            if self._error is None:
                self._take_cell()
        elif tag == "row":
            size = self._size + CELL_BYTES * len(self._cells)
            self._ready.append(RawRow(self._number, self._cells, size, self._error))
        elif tag == "rPh":
            self._phonetic -= 1

    def _take_cell(self) -> None:
        if self._column > MAX_COLUMNS:
            return self._fail(
                RowError(f"超过 {MAX_COLUMNS} 列。", f"has more than {MAX_COLUMNS} columns.")
            )
        try:
            value = self._read("".join(self._value))
        except (ValueError, IndexError, OverflowError):
            return self._fail(
                RowError(
                    f"第 {self._column} 列的值无法读取。",
                    f"holds in column {self._column} a value that cannot be read.",
                )
            )
        if self._kind == "s":
            # A string is stored once however many cells show it; here each is charged.
            self._size += self._limit if value is None else len(value.encode())
            if self._size > self._limit or value is None:
                return self._fail(too_large(self._size))
        self._cells.extend([None] * (self._column - 1 - len(self._cells)))
        self._cells.append(value)
        return None

    def _fail(self, error: RowError) -> None:
        self._error = error
        self._cells = []
        self._value = []

    def _read(self, text: str) -> Any:
        if self._kind == "s":
            return self._strings[int(text)]
        if self._kind in {"str", "inlineStr", "e", "d"}:
            return unescaped(text)
        if not text:
            return None
        if self._kind == "b":
            return text.strip() not in {"0", "false"}
        whole = text.lstrip("-").isdecimal() and len(text) < LONGEST_WHOLE
        number = int(text) if whole else float(text)
        if not isfinite(number):
            raise ValueError(text)
        kinds = self._styles.kinds
        kind = kinds[self._style] if self._style < len(kinds) else ""
        return shown(number, kind, self._styles.epoch) if kind else number


def shown(number: float, kind: str, epoch: datetime) -> Any:
    """A number of days as its format shows it: a date, a time, both, or an elapsed time. Numbers
    that are no day remain numbers."""
    if kind == "elapsed":
        return timedelta(milliseconds=round(number * MILLISECONDS))
    if not 0 <= number < LAST_DAY:
        return number
    if number < FIRST_OF_MARCH and epoch.year < 1900:
        epoch += timedelta(days=1)
    moment = epoch + timedelta(milliseconds=round(number * MILLISECONDS))
    if kind == "date" and number == int(number):
        return moment.date()
    return moment.time() if number < 1 else moment


def _number(text: str) -> int:
    """A count as an attribute gives it; one that no sheet can have becomes one too many."""
    if not text.isdecimal():
        return 0
    return int(text) if len(text) < 10 else MAX_ROWS + 1


def _column(reference: str) -> int:
    """`AB12` -> 28."""
    column = 0
    for char in reference[:8].upper():
        if not "A" <= char <= "Z":
            break
        column = column * 26 + ord(char) - 64
    return column
