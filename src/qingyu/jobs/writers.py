"""Answered windows as bytes: pure functions of the rows, so that the same rows are the same bytes.

Cells that a spreadsheet would run as a formula get an apostrophe in CSV, TSV and XLSX.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import date, time, timedelta
from typing import Any, Protocol

from qingyu.tasks.shapes import Fields, number

from .columns import cells_of, names_of, without_inputs
from .errors import RowError, short
from .rows import Cells
from .sources import unlike
from .tables import plain, tagged

FORMULA = re.compile(r"[=+\-@＝＋－＠\t\r\n]")  # wide ones too: https://owasp.org CSV injection
LONGEST_CELL = 32_767  # of a workbook
SPLITS = re.compile(r"[\t\r\n]")
NUMBER = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?%?", re.IGNORECASE | re.ASCII)


class Writer(Protocol):
    """`begin` is what stands before the first row; `row` raises RowError for a row that the
    format cannot hold."""

    def begin(self) -> bytes: ...

    def row(self, cells: Cells, result: Fields) -> bytes: ...


def writer(kind: str, task: str, columns: Sequence[str], *, quotes: bool = False) -> Writer:
    """`columns` are those of the rows, in order; with `quotes` TSV is quoted as CSV is."""
    if kind in {"csv", "tsv"}:
        return DelimitedWriter(task, columns, "\t" if kind == "tsv" else ",", quotes=quotes)
    if kind == "txt":
        return TextWriter(task)
    return JsonWriter(task, kind, columns)


def harmless(cell: str) -> str:
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, date | time | timedelta):
        return str(plain(value))
    return json.dumps(value, ensure_ascii=False)


def _added(task: str, result: Fields) -> list[str]:
    return [cell if isinstance(cell, str) else number(cell) for cell in cells_of(task, result)]


class DelimitedWriter:
    """UTF-8 with a byte order mark, which Excel needs; lines end in CR LF (RFC 4180)."""

    def __init__(
        self, task: str, columns: Sequence[str], delimiter: str, *, quotes: bool = False
    ) -> None:
        self._task = task
        self._columns = list(columns)
        self._known = frozenset(columns)
        self._delimiter = delimiter
        self._unquoted = delimiter == "\t" and not quotes

    def begin(self) -> bytes:
        return b"\xef\xbb\xbf" + self._line(unlike([*self._columns, *names_of(self._task)]))

    def row(self, cells: Cells, result: Fields) -> bytes:
        if len(cells) != len(self._columns) and (new := cells.keys() - self._known):
            name = min(new)
            raise RowError(
                f"有表头没有的列「{short(name)}」；可改为输出 JSONL。",
                f"has a column {short(name)!r} that the header has not; write JSONL instead.",
            )
        kept = [as_text(cells.get(name)) for name in self._columns]
        return self._line([*kept, *_added(self._task, result)])

    def _line(self, cells: list[str]) -> bytes:
        if self._unquoted:
            return self._bare([harmless(cell) for cell in cells])
        out = io.StringIO()
        csv.writer(out, delimiter=self._delimiter, lineterminator="\r\n").writerow(
            [harmless(cell) for cell in cells]
        )
        return out.getvalue().encode()

    def _bare(self, cells: list[str]) -> bytes:
        if any(SPLITS.search(cell) for cell in cells):
            raise RowError(
                "有制表符或换行，TSV 没有引号，存不下；可改为输出 CSV 或 JSONL。",
                "holds a tab or a line break, and TSV has no quotes for them; write CSV or JSONL.",
            )
        return "\t".join(cells).encode() + b"\r\n"


class TextWriter:
    """The first column of each result, a line each."""

    def __init__(self, task: str) -> None:
        self._task = task

    def begin(self) -> bytes:
        return b""

    def row(self, cells: Cells, result: Fields) -> bytes:  # noqa: ARG002
        return " ".join(_added(self._task, result)[0].splitlines()).encode() + b"\n"


class JsonWriter:
    """Each row as it was, with its result: as one object, or flat, as the columns of a table."""

    def __init__(self, task: str, kind: str, columns: Sequence[str]) -> None:
        self._task = task
        self._flat = kind != "jsonl"
        self._longest = LONGEST_CELL if kind == "xlsx" else None
        self._typed = tagged if self._flat else plain
        self._names = unlike([*columns, *names_of(task)])[len(columns) :]

    def begin(self) -> bytes:
        return b""

    def row(self, cells: Cells, result: Fields) -> bytes:
        added: Fields
        if self._flat:
            added = dict(zip(self._names, cells_of(self._task, result), strict=True))
        else:
            name = "result" if "result" not in cells else unlike([*cells, "result"])[-1]
            added = {name: without_inputs(result)}
        whole = {**cells, **added}
        if self._longest is not None:
            _check_lengths(whole, self._longest)
        try:
            line = json.dumps(whole, ensure_ascii=False, allow_nan=False, default=self._typed)
        except ValueError as error:
            raise RowError(
                "有 JSON 没有的数（无穷或非数）。",
                "holds a number that JSON has not (infinite, NaN).",
            ) from error
        return line.encode() + b"\n"


def _check_lengths(cells: Cells, longest: int) -> None:
    for name, value in cells.items():
        size = len(value) if isinstance(value, str) else 0
        if isinstance(value, list | dict):
            size = len(as_text(value))
        if size > longest:
            raise RowError(
                f"「{short(name)}」列有 {size} 个字符，XLSX 一格最多 {longest} 个；可输出 CSV。",
                f"holds {size} characters in column {short(name)!r}; a cell of XLSX holds "
                f"{longest}; write CSV instead.",
            )
