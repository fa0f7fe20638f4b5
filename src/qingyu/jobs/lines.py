"""From bytes to lines: bounded, counted, decoded one by one so that damage stays where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from qingyu.errors import InputError
from qingyu.text.encodings import WIDE, detect

from .errors import FileError, RowError
from .rows import Position

SAMPLE_BYTES = 1 << 20
DRAIN_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)  # and not frozen, which takes three times as long to make
class Line:
    """Its bytes with the line end; `error` says why they are no text. Of a line over the limit
    only `length` and the number of `quotes` are known."""

    number: int
    start: int
    data: bytes
    text: str
    error: RowError | None = None
    length: int = 0
    quotes: int = 0


class Lines:
    """Lines of a stream that stands at `position`; where it stands now is in `position`."""

    def __init__(
        self, stream: BinaryIO, encoding: str, limit: int, position: Position | None = None
    ) -> None:
        self.position = position or Position()
        self._stream = stream
        self._encoding = encoding
        self._limit = limit

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        data = self._stream.readline(self._limit + 1)
        if not data:
            raise StopIteration
        number, start = self.position.line + 1, self.position.byte
        if len(data) > self._limit and not data.endswith(b"\n"):
            length, quotes = self._drain(data)
            self.position = Position(number, start + length)
            return Line(number, start, b"", "", too_long(start, length), length, quotes)
        self.position = Position(number, start + len(data))
        if number == 1 and data.startswith(BOM):
            data = data[len(BOM) :]
        return self._decoded(number, start, data)

    def _drain(self, data: bytes) -> tuple[int, int]:
        """To the end of a line too long to hold; its length and its quotes."""
        length, quotes = len(data), data.count(b'"')
        while not data.endswith(b"\n") and (data := self._stream.readline(DRAIN_BYTES)):
            length += len(data)
            quotes += data.count(b'"')
        return length, quotes

    def _decoded(self, number: int, start: int, data: bytes) -> Line:
        error = None
        if b"\0" in data:
            error = RowError("含有 NUL 字节，不是文本。", "holds a NUL byte: not text.")
        try:
            text = data.decode(self._encoding)
        except UnicodeDecodeError:
            text = data.decode(self._encoding, "replace")
            error = RowError(
                f"不是有效的 {self._encoding} 编码。", f"is not valid {self._encoding}."
            )
        return Line(number, start, data, text.replace("\0", ""), error)


def too_long(start: int, length: int) -> RowError:
    return RowError(
        f"一行有 {length} 字节，过长；它在输入的第 {start} 字节起。",
        f"is {length} bytes, too long; it stands in the input from byte {start} on.",
    )


def detect_encoding(sample: bytes, zh: str = "", en: str = "") -> str:
    """The encoding of a file that begins with `sample`. Raises FileError, with advice in both
    languages where it cannot be told; also for line ends that are carriage returns alone."""
    try:
        encoding = detect(sample)
    except InputError as error:
        raise FileError(error.zh + zh, error.en + en) from error
    if encoding not in WIDE and b"\r" in sample[: 1 << 16] and b"\n" not in sample:
        raise FileError(
            "换行是单独的回车（旧 Mac 格式），请先转换为 \\n。",
            "ends its lines with carriage returns alone (old Mac); convert them to \\n first.",
        )
    return encoding
