"""Texts as lines: from the command line, or from standard input as they arrive."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from qingyu.cli import console
from qingyu.errors import InputError
from qingyu.text.encodings import WIDE, detect

CHUNK_BYTES = 1 << 13  # some hundred short texts: enough for full batches, soon answered
MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class InputLine:
    """One text: `number` counts from 1. `error` says why it could not even be read."""

    number: int
    text: str
    error: InputError | None = None
    alone: bool = False

    @property
    def label_zh(self) -> str:
        return "" if self.alone else f"第 {self.number} 行："

    @property
    def label_en(self) -> str:
        return "" if self.alone else f"line {self.number}: "


def arguments_as_lines(texts: list[str]) -> list[InputLine]:
    """Arguments of the command; bytes that were no UTF-8 reached us as lone surrogates."""
    alone = len(texts) == 1
    read = _Decoding()
    return [
        read.line(number, text.encode("utf-8", "surrogateescape"), alone=alone)
        for number, text in enumerate(texts, start=1)
    ]


def read_lines(stream: BinaryIO) -> Iterator[list[InputLine]]:
    """Lines in batches: as many as have arrived, so that neither a pipe nor a person waits.

    Blank lines are skipped but counted. A line over `MAX_LINE_BYTES` raises InputError. UTF-8 and
    UTF-16 with its mark are read; lines that are neither are in GB18030 or Big5, whichever the
    first of them are likelier in, which is noted on standard error.
    """
    number = 0
    rest = b""
    decoding = _Decoding()
    read = getattr(stream, "read1", stream.read)
    chunk = read(CHUNK_BYTES)
    wide = _wide_decoder(chunk)
    while chunk:
        *complete, rest = (rest + wide(chunk)).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            raise InputError(
                f"第 {number + len(complete) + 1} 行超过 1 MB，请分成多行。",
                f"Line {number + len(complete) + 1} is over 1 MB; split it into lines.",
            )
        decoding.look_at(complete)
        batch = [
            decoding.line(number + i, raw) for i, raw in enumerate(complete, start=1) if raw.strip()
        ]
        number += len(complete)
        if batch:
            yield batch
        chunk = read(CHUNK_BYTES)
    if rest.strip():
        decoding.look_at([rest])
        yield [decoding.line(number + 1, rest)]


class _Decoding:
    """Lines as text: in UTF-8, or where they are not, in one other encoding."""

    def __init__(self) -> None:
        self._other = ""

    def look_at(self, lines: list[bytes]) -> None:
        """Tell the other encoding by the first lines that are in it."""
        foreign = [] if self._other else [raw for raw in lines if not _is_utf8(raw)]
        if foreign:
            try:
                guess = detect(b"\n".join([*foreign, b""]))
            except InputError:
                return
            if guess not in WIDE:  # which has no lines of its own
                self._other = guess
                console.note(f"标准输入按 {guess} 读取", f"standard input is read as {guess}")

    def line(self, number: int, raw: bytes, *, alone: bool = False) -> InputLine:
        """One line, or why it cannot be read."""
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        encoding = "utf-8" if not self._other or _is_utf8(raw) else self._other
        try:
            return InputLine(number, raw.decode(encoding).removesuffix("\r"), alone=alone)
        except UnicodeDecodeError:
            error = InputError(
                "看不出是什么编码，请先转成 UTF-8，如 iconv -f GB18030 -t UTF-8。",
                "is in no encoding that can be told; convert it to UTF-8 first, as with "
                "iconv -f GB18030 -t UTF-8.",
            )
            return InputLine(number, raw.decode("utf-8", "replace"), error, alone=alone)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _wide_decoder(chunk: bytes) -> Callable[[bytes], bytes]:
    """What makes UTF-8 of the chunks of a stream that begins with `chunk`, where that has the mark
    of UTF-16; bytes of any other stay as they are."""
    encoding = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(chunk[:2])
    if encoding is None:
        return bytes
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    return lambda piece: decoder.decode(piece).encode()
