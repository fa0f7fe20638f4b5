"""Answered windows as bytes: pure functions of the rows, so that the same rows are the same bytes.

Cells that a spreadsheet would run as a formula get an apostrophe in CSV, TSV and XLSX.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any, Protocol

from qingyu.tasks.shapes import Fields, number

from .columns import cells_of, names_of, without_inputs
from .errors import RowError, short
from .rows import Cells
from .sources import unlike

FORMULA = re.compile(r"[=+\-@＝＋－＠\t\r\n]")  # wide ones too: https://owasp.org CSV injection
NUMBER = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?%?", re.IGNORECASE | re.ASCII)


class Writer(Protocol):
    """`begin` is what stands before the first row; `row` raises RowError for a row that the
    format cannot hold."""

    def begin(self) -> bytes: ...

    def row(self, cells: Cells, result: Fields) -> bytes: ...


def writer(kind: str, task: str, columns: Sequence[str]) -> Writer:
    """`columns` are those of the rows, in order."""
    if kind in {"csv", "tsv"}:
        return DelimitedWriter(task, columns, "\t" if kind == "tsv" else ",")
    if kind == "txt":
        return TextWriter(task)
    return JsonWriter(task, flat=kind != "jsonl", columns=columns)


def harmless(cell: str) -> str:
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _added(task: str, result: Fields) -> list[str]:
    return [cell if isinstance(cell, str) else number(cell) for cell in cells_of(task, result)]


class DelimitedWriter:
    """UTF-8 with a byte order mark, which Excel needs; lines end in CR LF (RFC 4180)."""

    def __init__(self, task: str, columns: Sequence[str], delimiter: str) -> None:
        self._task = task
        self._columns = list(columns)
        self._known = frozenset(columns)
        self._delimiter = delimiter

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
        out = io.StringIO()
        csv.writer(out, delimiter=self._delimiter, lineterminator="\r\n").writerow(
            [harmless(cell) for cell in cells]
        )
        return out.getvalue().encode()


class TextWriter:
    """The first column of each result, a line each."""

    def __init__(self, task: str) -> None:
        self._task = task

    def begin(self) -> bytes:
        return b""

    def row(self, cells: Cells, result: Fields) -> bytes:  # noqa: ARG002
        return " ".join(_added(self._task, result)[0].splitlines()).encode() + b"\n"


class JsonWriter:
    """Each row as it was, with its result: as one object, or `flat` as the columns of a table."""

    def __init__(self, task: str, *, flat: bool, columns: Sequence[str]) -> None:
        self._task = task
        self._flat = flat
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
        return json.dumps({**cells, **added}, ensure_ascii=False).encode() + b"\n"
