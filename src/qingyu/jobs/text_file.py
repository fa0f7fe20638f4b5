"""A text file opened for reading: its stream, its encoding, errors that name it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

from qingyu.text.encodings import MARK, WIDE

from .compression import bounded, damaged, opened
from .errors import FileError
from .lines import SAMPLE_BYTES, Lines, detect_encoding
from .opening import closing_on_error, open_regular, told
from .rows import Position
from .sources import Source
from .transcoded import transcoded

PIECE_BYTES = 1 << 14
NAME_IT = ("用 --encoding 指明。", " Name it: --encoding.")
WIDE_NAMES = {*WIDE, "utf-16", "utf-32"}


class TextFile:
    """An opened text file: its stream, its encoding, and errors that name it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.encoding = source.encoding
        with self.told():
            self._file = open_regular(source)
        if source.encoding == "auto":
            with closing_on_error(self), self.told():
                self.encoding = detect_encoding(self._sample(), *NAME_IT)

    def _stream(self) -> BinaryIO:
        self._file.seek(0)
        stream = opened(self._file, self.source.compression)
        if self.source.compression and self.source.max_expansion is not None:
            return bounded(stream, self._file, self.source.max_expansion)
        return stream

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

    def told(self) -> AbstractContextManager[None]:
        """What reading raises, as a FileError that names the file."""
        return told(self.source, damaged(self.source.compression))

    def lines(self, position: Position | None = None) -> Lines:
        """The lines from `position` on; in a compressed file all before it are read again."""
        position = position or Position()
        with self.told():
            stream, encoding = self._stream(), self.encoding
            wide = codecs.lookup(encoding).name in WIDE_NAMES
            if wide:
                stream, encoding = transcoded(stream, encoding), "utf-8"
            if wide or self.source.compression:
                _skip(stream, position.byte)
            else:
                stream.seek(position.byte)
        return Lines(stream, encoding, self.source.max_row_bytes, position)

    def pieces(self) -> Iterator[str]:
        """The whole text, piece by piece, without a mark. Raises FileError."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        stream, begun = self._stream(), False
        while True:
            data = stream.read(PIECE_BYTES)
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                name = self.encoding
                raise FileError(f"不是有效的 {name} 编码。", f"is not valid {name}.") from error
            if text:
                yield text if begun else text.removeprefix(MARK)
                begun = True
            if not data:
                return

    @property
    def read_bytes(self) -> int:
        """Of the file as it is stored, for telling how far along it is."""
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def _skip(stream: BinaryIO, count: int) -> None:
    while count and (piece := stream.read(min(count, SAMPLE_BYTES))):
        count -= len(piece)
