"""A stream of UTF-16 or UTF-32 as one of UTF-8, so that its lines can be found."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING, BinaryIO, cast

from .errors import FileError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE_BYTES = 1 << 16
MARK = "\ufeff"


class _Transcoder(io.RawIOBase):
    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""
        self._begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while not self._ready:
            piece = self._stream.read(PIECE_BYTES)
            try:
                text = self._decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                raise FileError(
                    f"不是有效的 {self._encoding} 编码。", f"is not valid {self._encoding}."
                ) from error
            if not self._begun and text:
                text, self._begun = text.removeprefix(MARK), True
            self._ready = text.encode()
            if not piece:
                break
        count = min(len(view), len(self._ready))
        view[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def transcoded(stream: BinaryIO, encoding: str) -> BinaryIO:
    """UTF-8 of what `stream` holds in `encoding`. Its reading raises FileError."""
    return cast(BinaryIO, io.BufferedReader(_Transcoder(stream, encoding), PIECE_BYTES))
