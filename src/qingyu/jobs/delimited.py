"""CSV and TSV (RFC 4180): quotes, doubled quotes, line breaks inside quotes; in bounded memory."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

from .errors import FileError, RowError
from .lines import Line, Lines, too_long
from .opening import closing_on_error
from .rows import CELL_BYTES, BadRow, Cells, Position, Row, raw_or_place
from .sources import Source, header_of
from .text_file import TextFile

LARGEST_CELL = (1 << 31) - 1  # rows are limited here, not cells
DELIMITERS = (",", "\t", ";")
SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)  # a first line for Excel
UNQUOTED: dict[str, Any] = {"quoting": csv.QUOTE_NONE, "quotechar": None}
EMPTY = Line(0, 0, b"", "")


class _TooLong(Exception):  # noqa: N818 never leaves this file
    """The row being read outgrew its limit."""


class _Feed:
    """Lines for csv's parser, remembering those of the row being read."""

    def __init__(self, lines: Iterator[Line], limit: int, *, quoted: bool) -> None:
        self._lines = lines
        self._quoted = quoted
        self._limit = limit
        self.begin()

    def begin(self) -> None:
        self.held: list[Line] = []
        self.size = 0
        self.error: RowError | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.held.append(line)
        self.size += line.length or len(line.data)
        if line.error is not None and self.error is None:
            self.error = line.error
        if self.size > self._limit:
            raise _TooLong
        return line.text

    def skip_row(self) -> tuple[int, int]:
        """To the end of a row too long, as its quotes tell it: its first byte and its length."""
        quotes = sum(line.quotes or line.data.count(b'"') for line in self.held)
        start, size = self.held[0].start, self.size
        while self._quoted and quotes % 2 and (line := next(self._lines, None)) is not None:
            quotes += line.quotes or line.data.count(b'"')
            size += line.length or len(line.data)
        return start, size

    def raw_cells(self) -> Cells:
        """The row as it is stored, or its place where that is long."""
        first = self.held[0]
        return raw_or_place(b"".join(line.data for line in self.held), first.start, self.size)


class DelimitedReader:
    """Rows as wide as the header; any other is bad. Blank lines are no rows."""

    def __init__(self, source: Source, position: Position | None = None) -> None:
        csv.field_size_limit(LARGEST_CELL)
        self._file = TextFile(source)
        with closing_on_error(self._file), self._file.told():
            self._quoted = source.format == "csv" or source.quotes
            self._dialect = self._told_dialect(source)
            self.columns = self._read_header(source)
        self._names_size = sum(map(len, self.columns))
        if position is not None and position.line:
            self._lines = self._file.lines(position)
        elif not source.header:
            self._lines = self._table(source)

    @property
    def position(self) -> Position:
        return self._lines.position

    @property
    def read_bytes(self) -> int:
        return self._file.read_bytes

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Row | BadRow]:
        feed = _Feed(self._lines, self._file.source.max_row_bytes, quoted=self._quoted)
        parser = csv.reader(feed, strict=True, **self._dialect)
        with self._file.told():
            while True:
                feed.begin()
                try:
                    cells = next(parser)
                except StopIteration:
                    return
                except _TooLong:
                    first = feed.held[0].number
                    yield _skipped(first, *feed.skip_row())
                    # The parser resets itself for each row.
                    continue
                except csv.Error as error:
                    yield _unreadable(feed, error)
                    continue
                if cells:
                    yield self._row(feed, cells)

    def _row(self, feed: _Feed, cells: list[str]) -> Row | BadRow:
        line = feed.held[0].number
        if feed.error is not None:
            return BadRow(line, feed.error, feed.raw_cells(), feed.size)
        if len(cells) != len(self.columns):
            told = RowError(
                f"有 {len(cells)} 格，表头有 {len(self.columns)} 格。",
                f"has {len(cells)} cells where the header has {len(self.columns)}.",
            )
            return BadRow(line, told, feed.raw_cells(), feed.size)
        size = feed.size + self._names_size + CELL_BYTES * len(cells)
        return Row(line, dict(zip(self.columns, cells, strict=True)), size)

    def _read_header(self, source: Source) -> list[str]:
        self._lines = self._table(source)
        feed = _Feed(self._lines, source.max_row_bytes, quoted=self._quoted)
        try:
            cells = next((c for c in csv.reader(feed, **self._dialect) if c), None)
        except (_TooLong, csv.Error) as error:
            raise FileError("的表头无法读取。", "has a header that cannot be read.") from error
        if cells is None:
            raise FileError("是空的。", "is empty.")
        if source.header and (told := feed.error) is not None:
            raise FileError(f"的表头{told.zh}", f"has a header that {told.en}")
        return header_of(cells if source.header else ["" for _ in cells])

    def _table(self, source: Source) -> Lines:
        """The lines from where the table begins: behind titles above it, and behind `sep=`."""
        lines = self._file.lines()
        for _ in range(source.header_row - 1):
            next(lines, None)
        if self._tells_delimiter and source.header_row == 1:
            next(lines, None)
        return lines

    def _told_dialect(self, source: Source) -> dict[str, Any]:
        """What csv's parser is to know. TSV has no quotes: a tab cannot stand in a cell."""
        lines = self._file.lines()
        first = next((line.text for line in lines if line.text.strip()), "")
        told = SEPARATOR.fullmatch(first.strip("\r\n"))
        self._tells_delimiter = told is not None and source.format == "csv"
        if source.format == "tsv":
            return {"delimiter": "\t", **({} if self._quoted else UNQUOTED)}
        if told is not None:
            return {"delimiter": told[1]}
        for _ in range(source.header_row - lines.position.line):
            first = next(lines, EMPTY).text
        bare = "".join(first.split('"')[::2])
        return {"delimiter": max(DELIMITERS, key=bare.count)}


def _skipped(line: int, start: int, size: int) -> BadRow:
    return BadRow(line, too_long(start, size), raw_or_place(b"", start, size))


def _unreadable(feed: _Feed, error: csv.Error) -> BadRow:
    if "unexpected end of data" in str(error):
        told = RowError("引号到文件末尾都没有闭合。", "opens a quote that is never closed.")
    else:
        told = RowError(f"无法按 CSV 读取：{error}", f"cannot be read as CSV: {error}")
    return BadRow(feed.held[0].number, told, feed.raw_cells(), feed.size)
