"""A text file opened for reading: its stream, its encoding, errors that name it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from .compression import damaged, opened
from .errors import FileError
from .lines import SAMPLE_BYTES, Lines, detect
from .rows import Position
from .sources import Source

PIECE_BYTES = 1 << 14


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
