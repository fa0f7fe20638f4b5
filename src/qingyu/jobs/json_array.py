"""A file that is one JSON array: its objects and strings one by one, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .errors import FileError
from .lines import Line
from .opening import closing_on_error
from .rows import BadRow, Position, Row
from .sources import Source
from .text_file import TextFile

# A whole string, or what structure is made of; a quote alone begins a string that is cut here.
TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)


class ArrayReader:
    """The elements of an array as rows; `line` and the position count them from 1."""

    columns: list[str] = []  # noqa: RUF012 each row has its own

    def __init__(
        self,
        source: Source,
        position: Position | None,
        parse: Callable[[Line], Row | BadRow],
    ) -> None:
        self._file = TextFile(source)
        self._parse = parse
        self._limit = source.max_row_bytes
        self.position = position or Position()
        with closing_on_error(self._file), self._file.told():
            self._pieces = self._file.pieces()

    @property
    def read_bytes(self) -> int:
        return self._file.read_bytes

    def __iter__(self) -> Iterator[Row | BadRow]:
        before = self.position.line
        with self._file.told():
            for number, text in enumerate(elements(self._pieces, self._limit), 1):
                if number > before:
                    self.position = Position(number)
                    yield self._parse(Line(number, 0, text.encode("utf-8", "replace"), text))

    def close(self) -> None:
        self._file.close()


def elements(pieces: Iterator[str], limit: int) -> Iterator[str]:
    """The texts of the elements of an array that comes in pieces, each at most `limit` characters.

    Raises FileError where the array is cut off, is followed by something, or holds more than that
    in one element.
    """
    text = next(pieces, "").lstrip()
    scan = start = 1  # behind the bracket
    depth = count = 0
    while True:
        match = TOKEN.search(text, scan)
        if match is None or match[0] == '"':
            scan = len(text) if match is None else match.start()
            text, scan, start = text[start:], scan - start, 0
            _check_length(len(text), limit, count + 1)
            more = _at_least(pieces, len(text))
            if not more:
                raise FileError(
                    f"在第 {count + 1} 项处中断，数组没有结束。",
                    f"ends in element {count + 1}, before its array does.",
                )
            text += more
            continue
        scan = match.end()
        if match[0] in "[{":
            depth += 1
        elif match[0] in "]}" and depth:
            depth -= 1
        elif match[0] in ",]}" and not depth:
            last = match[0] != ","
            found = text[start : match.start()].strip()
            if found or not last:
                count += 1
                _check_length(len(found), limit, count)
                yield found
            if last:
                if text[scan:].strip() or any(piece.strip() for piece in pieces):
                    raise FileError("的数组之后还有内容。", "goes on behind its array.")
                return
            start = scan


def _check_length(length: int, limit: int, number: int) -> None:
    if length > limit:
        raise FileError(
            f"的第 {number} 项超过 {limit} 个字符。",
            f"has more than {limit} characters in element {number}.",
        )


def _at_least(pieces: Iterator[str], count: int) -> str:
    """As much again as is held, so that a long string is not looked through too often."""
    found: list[str] = []
    size = 0
    while size <= count and (piece := next(pieces, "")):
        found.append(piece)
        size += len(piece)
    return "".join(found)
