"""Readers of text files: a line a row (TXT), an object a line (JSONL); which format has which."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from .delimited import DelimitedReader
from .errors import FileError, RowError
from .json_array import ArrayReader
from .lines import Line
from .rows import CELL_BYTES, BadRow, Position, Row, raw_or_place
from .sources import Reader, Source
from .text_file import TextFile

TEXT = "text"  # the column of a file that has none
MAX_VALUES = 1 << 17  # of a JSON row
MAX_DEPTH = 64
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def open_reader(source: Source, position: Position | None = None) -> Reader:
    """The rows of a file from `position` on. Raises FileError and MissingLibraryError."""
    if source.format in {"csv", "tsv"}:
        return DelimitedReader(source, position)
    if source.format == "parquet":
        from .parquet import ParquetReader

        return ParquetReader(source, position)
    if source.format == "xlsx":
        from .workbook import WorkbookReader

        return WorkbookReader(source, position)
    if source.format == "json" and _is_array(source):
        return ArrayReader(source, position, _parse_json)
    return LineReader(source, position)


def _is_array(source: Source) -> bool:
    """Whether a file called .json is one array; otherwise it is an object a line. Raises FileError
    where it is neither."""
    file = TextFile(source)
    try:
        with file.told():
            start = "".join(islice(file.pieces(), 1)).lstrip()
            if not start.startswith("["):
                line = next(file.lines(), None)
                try:
                    json.loads(line.text if line else "")
                except ValueError as error:
                    raise FileError(
                        "不是 JSON 数组，也不是每行一个对象。",
                        "is no JSON array, nor an object on each line.",
                    ) from error
                return False
    finally:
        file.close()
    return True


class LineReader:
    """TXT and JSONL. Blank lines are no rows, unless `source.blank` says so."""

    def __init__(self, source: Source, position: Position | None = None) -> None:
        self._file = TextFile(source)
        self._lines = self._file.lines(position)
        self._blank = source.blank
        is_json = source.format in ("json", "jsonl")
        self._parse = _parse_json if is_json else _parse_text
        self.columns: list[str] = [] if is_json else [TEXT]

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
                elif self._blank or not line.text.isspace():
                    yield self._parse(line)

    def close(self) -> None:
        self._file.close()


def bad_line(line: Line, error: RowError) -> BadRow:
    length = line.length or len(line.data)
    return BadRow(line.number, error, raw_or_place(line.data, line.start, length), len(line.data))


def _parse_text(line: Line) -> Row:
    return Row(line.number, {TEXT: line.text.rstrip("\r\n")}, len(line.data) + CELL_BYTES)


def _parse_json(line: Line) -> Row | BadRow:
    nested = line.data.count(b"[") + line.data.count(b"{")
    values = nested + line.data.count(b",")
    try:
        if values > MAX_VALUES and (count := _values(line.text)) > MAX_VALUES:
            raise RowError(
                f"有 {count} 个值，最多 {MAX_VALUES} 个。",
                f"holds {count} values; at most {MAX_VALUES} are read.",
            )
        value = json.loads(line.text)
        if nested > MAX_DEPTH and _deep(value):
            raise RowError(
                f"嵌套超过 {MAX_DEPTH} 层。", f"is nested more than {MAX_DEPTH} levels deep."
            )
        if isinstance(value, str):
            value = {TEXT: value}
        if not isinstance(value, dict):
            raise RowError("应为 JSON 对象或字符串。", "should be a JSON object or a string.")
        if "\\u" in line.text:
            json.dumps(value, ensure_ascii=False).encode()
    except RowError as error:
        return bad_line(line, error)
    except UnicodeEncodeError:
        return bad_line(line, RowError("含有孤立的代理字符。", "holds a lone surrogate."))
    except (ValueError, RecursionError) as error:
        return bad_line(line, RowError(f"不是 JSON：{error}", f"is not JSON: {error}"))
    return Row(line.number, value, len(line.data) + CELL_BYTES * (1 + min(values, MAX_VALUES)))


def _values(text: str) -> int:
    """How many values JSON holds, at most: what is inside strings does not count."""
    bare = STRING.sub("", text)
    return sum(map(bare.count, "[{,"))


def _deep(value: Any) -> bool:
    """Whether lists and objects lie in each other deeper than is read."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
        if not inner:
            return False
        level = inner
    return True
