"""Parquet (pyarrow) and XLSX (openpyxl): rows by number, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from importlib import import_module
from itertools import islice
from typing import Any

from .errors import FileError, MissingLibraryError
from .rows import BadRow, Position, Row
from .sources import Source, unlike

ROWS_AT_ONCE = 1024


class TableReader:
    """Rows of a Parquet file or of the first sheet of a workbook."""

    def __init__(self, source: Source, position: Position | None = None) -> None:
        self._source = source
        self.position = position or Position()
        try:
            if source.format == "parquet":
                self._open_parquet(source)
            else:
                self._open_workbook(source)
        except (OSError, ValueError, KeyError) as error:
            raise FileError(
                f"无法读取 {source.path}：{error}", f"Cannot read {source.path}: {error}"
            ) from error
        self.columns = unlike(self._names)

    def _open_parquet(self, source: Source) -> None:
        table = library("pyarrow.parquet", "Parquet", "pyarrow").ParquetFile(source.path)
        self._names = [str(name) for name in table.schema_arrow.names]
        self._total = max(1, table.metadata.num_rows)
        self._close = table.close
        self._values = (
            tuple(row.values())
            for batch in table.iter_batches(ROWS_AT_ONCE)
            for row in batch.to_pylist()
        )

    def _open_workbook(self, source: Source) -> None:
        openpyxl = library("openpyxl", "XLSX", "openpyxl")
        try:
            book = openpyxl.load_workbook(source.path, read_only=True, data_only=True)
        except Exception as error:  # what a damaged archive raises is not in openpyxl's contract
            if isinstance(error, OSError):
                raise
            raise ValueError(f"{type(error).__name__}: {error}") from error
        sheet = book.worksheets[0]
        rows = sheet.iter_rows(values_only=True)
        first = next(rows, None)
        if first is None:
            raise ValueError("空 / empty")
        self._total = max(1, (sheet.max_row or 1) - 1)
        self._close = book.close
        if source.header:
            self._names = ["" if name is None else str(name) for name in first]
            self._values = rows
        else:
            self._names = ["" for _ in first]
            self._values = (row for part in ([first], rows) for row in part)

    @property
    def read_bytes(self) -> int:
        size = self._source.path.stat().st_size
        return int(min(size, size * self.position.line // self._total))

    def __iter__(self) -> Iterator[Row | BadRow]:
        width = len(self.columns)
        for values in islice(self._values, self.position.line, None):
            number = self.position.line + 1
            self.position = Position(number)
            if all(value is None or value == "" for value in values):
                continue
            cells = [plain(value) for value in values][:width]
            cells += [""] * (width - len(cells))
            yield Row(number, dict(zip(self.columns, cells, strict=True)))

    def close(self) -> None:
        self._close()


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    return value


def library(module: str, what: str, package: str) -> Any:
    """An optional library. Raises MissingLibraryError."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingLibraryError(what, package) from error
