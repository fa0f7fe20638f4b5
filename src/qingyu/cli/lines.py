"""Texts as lines: from the command line, or from standard input as they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from qingyu.errors import InputError

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
    return [
        _decode(number, text.encode("utf-8", "surrogateescape"), alone=alone)
        for number, text in enumerate(texts, start=1)
    ]


def read_lines(stream: BinaryIO) -> Iterator[list[InputLine]]:
    """Lines in batches: as many as have arrived, so that neither a pipe nor a person waits.

    Blank lines are skipped but counted. A line over `MAX_LINE_BYTES` raises InputError.
    """
    number = 0
    rest = b""
    read = getattr(stream, "read1", stream.read)
    while chunk := read(CHUNK_BYTES):
        *complete, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            raise InputError(
                f"第 {number + len(complete) + 1} 行超过 1 MB，请分成多行。",
                f"Line {number + len(complete) + 1} is over 1 MB; split it into lines.",
            )
        batch = [_decode(number + i, raw) for i, raw in enumerate(complete, start=1) if raw.strip()]
        number += len(complete)
        if batch:
            yield batch
    if rest.strip():
        yield [_decode(number + 1, rest)]


def _decode(number: int, raw: bytes, *, alone: bool = False) -> InputLine:
    if number == 1:
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return InputLine(number, raw.decode("utf-8").removesuffix("\r"), alone=alone)
    except UnicodeDecodeError:
        error = InputError(
            "不是 UTF-8 编码，可先用 iconv -f GB18030 -t UTF-8 转换。",
            "not UTF-8; convert it first, as with iconv -f GB18030 -t UTF-8.",
        )
        return InputLine(number, raw.decode("utf-8", "replace"), error, alone=alone)
