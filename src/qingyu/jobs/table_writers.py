"""Formats that cannot be appended to: their rows wait in a part file as JSON lines and are turned
into the table at the end, streamed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, time, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from .errors import MissingLibraryError
from .tables import library, untagged
from .writers import as_text, harmless

TABLES = {"parquet", "xlsx"}
ROWS_AT_ONCE = 4096
BYTES_AT_ONCE = 8 << 20
EXACT = {"bool", "date", "datetime", "time", "timedelta"}
MOST_DIGITS = 10**15
FIRST_YEAR = 1900
UNWRITABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
LITERAL = re.compile(r"_x[0-9A-Fa-f]{4}_")
WORKBOOK_ROWS = 1_048_576


def check_library(kind: str) -> None:
    """Raises MissingLibraryError before anything is computed."""
    if kind == "parquet":
        library("pyarrow.parquet", "Parquet", "pyarrow")
    elif kind == "xlsx":
        library("openpyxl", "XLSX", "openpyxl")


def convert(
    kind: str, spool: Path, target: Path, columns: list[str], beat: Callable[[], None]
) -> None:
    """Rows of `spool` as a table with `columns`; `beat` is called every few rows.

    Raises OSError and MissingLibraryError."""
    if kind == "parquet":
        _to_parquet(spool, target, columns, beat)
    elif kind == "xlsx":
        _to_workbook(spool, target, columns, beat)
    else:
        raise MissingLibraryError(kind, kind)


def _parts(spool: Path, beat: Callable[[], None]) -> Iterator[list[dict[str, Any]]]:
    """The rows, as many together as are read and as memory allows."""
    part: list[dict[str, Any]] = []
    size = 0
    with spool.open("rb") as lines:
        for line in lines:
            part.append(json.loads(line, object_hook=untagged))
            size += len(line)
            if len(part) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
                yield part
                beat()
                part, size = [], 0
    if part:
        yield part


def _to_parquet(spool: Path, target: Path, columns: list[str], beat: Callable[[], None]) -> None:
    arrow = library("pyarrow", "Parquet", "pyarrow")
    parquet = library("pyarrow.parquet", "Parquet", "pyarrow")
    types = {
        "int": arrow.int64(), "float": arrow.float64(), "bool": arrow.bool_(),
        "date": arrow.date32(), "datetime": arrow.timestamp("us"), "time": arrow.time64("us"),
        "timedelta": arrow.duration("us"),
    }  # fmt: skip
    kinds = _kinds(_parts(spool, beat), columns)
    schema = arrow.schema([(name, types.get(kinds[name], arrow.string())) for name in columns])
    with parquet.ParquetWriter(target, schema) as out:
        for part in _parts(spool, beat):
            values = {
                name: [_typed(row.get(name), kinds[name]) for row in part] for name in columns
            }
            out.write_table(arrow.table(values, schema=schema))


def _kinds(parts: Iterator[list[dict[str, Any]]], columns: list[str]) -> dict[str, str]:
    """The narrowest type that holds every value of a column."""
    seen: dict[str, set[str]] = {name: set() for name in columns}
    for row in chain.from_iterable(parts):
        for name in columns:
            if (value := row.get(name)) is not None:
                big = isinstance(value, int) and not -(2**63) <= value < 2**63
                seen[name].add("str" if big else type(value).__name__)
    return {name: _kind(kinds) for name, kinds in seen.items()}


def _kind(kinds: set[str]) -> str:
    if kinds <= {"int", "float"} and kinds:
        return "float" if "float" in kinds else "int"
    return next(iter(kinds)) if len(kinds) == 1 and kinds <= EXACT else "str"


def _typed(value: Any, kind: str) -> Any:
    if value is None:
        return None
    return as_text(value) if kind == "str" else float(value) if kind == "float" else value


def _to_workbook(spool: Path, target: Path, columns: list[str], beat: Callable[[], None]) -> None:
    openpyxl = library("openpyxl", "XLSX", "openpyxl")
    with target.open("wb") as file:
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("qingyu")
        try:
            sheet.append([_cell(name) for name in columns])
            for count, row in enumerate(chain.from_iterable(_parts(spool, beat)), 2):
                if count > WORKBOOK_ROWS:
                    told = f"XLSX 最多 {WORKBOOK_ROWS} 行 / XLSX holds {WORKBOOK_ROWS} rows"
                    raise OSError(0, told)
                sheet.append([_cell(row.get(name)) for name in columns])
        finally:
            sheet.close()
        book.save(file)


def _cell(value: Any) -> Any:
    """A value as a cell holds it: numbers of more than 15 digits, and dates before 1900, as text;
    characters that XML has not, as the format writes them."""
    if value is None or isinstance(value, time | timedelta | float):
        return value
    if isinstance(value, int) and abs(value) < MOST_DIGITS:
        return value
    if isinstance(value, date) and value.year >= FIRST_YEAR:
        return value
    text = LITERAL.sub(r"_x005F\g<0>", harmless(as_text(value)))
    return UNWRITABLE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
