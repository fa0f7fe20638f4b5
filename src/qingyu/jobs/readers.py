"""Readers of text files: a line a row (TXT), an object a line (JSONL); and the way to others."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .delimited import DelimitedReader
from .errors import RowError
from .lines import Line
from .rows import BadRow, Position, Row, raw_bytes
from .sources import Reader, Source
from .text_file import TextFile

TEXT = "text"  # the column of a file that has none


def open_reader(source: Source, position: Position | None = None) -> Reader:
    """The rows of a file from `position` on. Raises FileError and MissingLibraryError."""
    if source.format in {"csv", "tsv"}:
        return DelimitedReader(source, position)
    if source.format in {"parquet", "xlsx"}:
        from .tables import TableReader

        return TableReader(source, position)
    return LineReader(source, position)


class LineReader:
    """TXT and JSONL. Blank lines are no rows."""

    def __init__(self, source: Source, position: Position | None = None) -> None:
        self._file = TextFile(source)
        self._lines = self._file.lines(position)
        self._parse = _parse_json if source.format == "jsonl" else _parse_text
        self.columns: list[str] = [] if source.format == "jsonl" else [TEXT]

    @property
    def position(self) -> Position:
        return self._lines.position

    @property
    def read_bytes(self) -> int:
        return self._file.read_bytes

    def __iter__(self) -> Iterator[Row | BadRow]:
        with self._file.told():
            for line in self._lines:
                if line.error is not None:
                    yield bad_line(line, line.error)
                elif not line.text.isspace():
                    yield self._parse(line)

    def close(self) -> None:
        self._file.close()


def bad_line(line: Line, error: RowError) -> BadRow:
    raw = raw_bytes(line.data) if line.data else {"bytes": [line.start, line.start + line.length]}
    return BadRow(line.number, error, raw)


def _parse_text(line: Line) -> Row:
    return Row(line.number, {TEXT: line.text.rstrip("\r\n")})


def _parse_json(line: Line) -> Row | BadRow:
    try:
        value = json.loads(line.text)
    except (ValueError, RecursionError) as error:
        told = RowError(f"不是 JSON：{error}", f"is not JSON: {error}")
        return BadRow(line.number, told, raw_bytes(line.data))
    if isinstance(value, str):
        value = {TEXT: value}
    if not isinstance(value, dict):
        told = RowError("应为 JSON 对象或字符串。", "should be a JSON object or a string.")
        return BadRow(line.number, told, raw_bytes(line.data))
    try:
        line.text.encode()
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        told = RowError("含有孤立的代理字符。", "holds a lone surrogate.")
        return BadRow(line.number, told, raw_bytes(line.data))
    return Row(line.number, value)
