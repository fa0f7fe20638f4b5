"""Readers of text files: a line a row (TXT), an object a line (JSONL); and the way to others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from .compression import damaged, opened
from .errors import FileError, RowError
from .lines import SAMPLE_BYTES, Line, Lines, detect
from .rows import BadRow, Position, Row, raw_bytes
from .sources import Reader, Source

PIECE_BYTES = 1 << 14
TEXT = "text"  # the column of a file that has none


def open_reader(source: Source, position: Position | None = None) -> Reader:
    """The rows of a file from `position` on. Raises FileError and MissingLibraryError."""
    if source.format in {"csv", "tsv"}:
        from .delimited import DelimitedReader

        return DelimitedReader(source, position)
    if source.format in {"parquet", "xlsx"}:
        from .tables import TableReader

        return TableReader(source, position)
    return LineReader(source, position)


class TextFile:
    """An opened text file: its stream, its encoding, and errors that name it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.encoding = source.encoding
        with self.told():
            self._file = source.path.open("rb")
        if source.encoding == "auto":
            with closing_on_error(self), self.told():
                self.encoding = detect(self._sample())

    def _stream(self) -> BinaryIO:
        self._file.seek(0)
        return opened(self._file, self.source.compression)

    def _sample(self) -> bytes:
        """The beginning, or as much of it as a damaged file gives."""
        stream, sample = self._stream(), b""
        try:
            while len(sample) < SAMPLE_BYTES and (piece := stream.read(PIECE_BYTES)):
                sample += piece
        except damaged(self.source.compression):
            if not sample:
                raise
        return sample

    @contextmanager
    def told(self) -> Iterator[None]:
        """What reading raises, as a FileError that names the file."""
        path = self.source.path
        try:
            yield
        except FileError as error:
            raise FileError(f"{path} {error.zh}", f"{path} {error.en}") from error
        except damaged(self.source.compression) as error:
            raise FileError(f"{path} 已损坏：{error}", f"{path} is damaged: {error}") from error
        except OSError as error:
            why = error.strerror or str(error)
            raise FileError(f"无法读取 {path}：{why}", f"Cannot read {path}: {why}") from error

    def lines(self, position: Position | None = None) -> Lines:
        """The lines from `position` on; in a compressed file all before it are read again."""
        position = position or Position()
        with self.told():
            stream = self._stream()
            if self.source.compression:
                _skip(stream, position.byte)
            else:
                stream.seek(position.byte)
        return Lines(stream, self.encoding, self.source.max_row_bytes, position)

    @property
    def read_bytes(self) -> int:
        """Of the file as it is stored, for telling how far along it is."""
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


@contextmanager
def closing_on_error(opened_one: TextFile) -> Iterator[None]:
    try:
        yield
    except BaseException:
        opened_one.close()
        raise


def _skip(stream: BinaryIO, count: int) -> None:
    while count and (piece := stream.read(min(count, SAMPLE_BYTES))):
        count -= len(piece)


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
