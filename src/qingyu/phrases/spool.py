"""Text as symbols in a temporary file, so that it can be counted many times in little memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.numbers import IntArray
from qingyu.phrases.split import END, Splitter
from qingyu.text.phrases import BOUNDARY, REACH, Codes, symbols
from qingyu.text.tokenizer import Tokenizer

BLOCK_CHARACTERS = 1 << 20
BLOCK_SYMBOLS = 1 << 22
PHRASE_WEIGHT = 10  # a phrase in a list counts for so many in running text


@dataclass(frozen=True)
class Segment:
    """Symbols [start, end) of one source: how many times each counts, and whether its lines are
    phrases, known by heart, rather than running text."""

    start: int
    end: int
    weight: int
    phrases: bool


class Spool:
    """Symbols of sources one after the other, texts apart by boundaries that no context crosses."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.segments: list[Segment] = []
        self.texts = self.characters = self.length = 0
        self._table = symbols(tokenizer)
        self._splitter = Splitter(tokenizer)
        wide = len(self._table) >= 1 << 16
        self.dtype: np.dtype[Any] = np.dtype(np.uint32 if wide else np.uint16)
        self._folder = tempfile.TemporaryDirectory(prefix="qingyu-phrases-")
        self._path = Path(self._folder.name) / "symbols"
        self._file = self._path.open("wb")
        self._write(np.zeros(REACH, np.uint64))

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()
        self._folder.cleanup()

    def add(self, texts: Iterable[str], weight: int = 1, *, phrases: bool = False) -> None:
        """Take in a source: running text, or a list of phrases, a text each."""
        start = self.length
        weight *= PHRASE_WEIGHT if phrases else 1
        for block in _blocks(texts):
            self._write(self._joined(self._splitter.ids(block)))
            self.texts += len(block)
            self.characters += sum(map(len, block))
        self.segments.append(Segment(start, self.length, weight, phrases))

    def scratch(self, name: str, dtype: type, shape: tuple[int, ...]) -> NDArray[Any]:
        """A file of zeros beside the symbols, mapped."""
        return np.memmap(Path(self._folder.name) / name, dtype, "w+", shape=shape)

    def symbols(self) -> NDArray[Any]:
        """All of them, mapped."""
        self._file.flush()
        return np.memmap(self._path, self.dtype, "r")

    def blocks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """(first place, symbols from REACH before it to REACH behind its last), block by block."""
        found = self.symbols()
        for first in range(REACH, self.length - REACH, BLOCK_SYMBOLS):
            last = min(first + BLOCK_SYMBOLS, self.length - REACH)
            yield first, found[first - REACH : last + REACH]

    def _joined(self, ids: IntArray) -> Codes:
        """Symbols of texts: boundaries squeezed into one, and REACH of them after each text."""
        codes = np.where(ids == END, BOUNDARY, self._table[ids])
        first = codes != BOUNDARY
        first[1:] |= codes[:-1] != BOUNDARY
        first[0] = True
        starts = np.flatnonzero(first)
        ended = np.logical_or.reduceat(ids == END, starts)
        return np.repeat(codes[starts], np.where(ended, REACH, 1))

    def _write(self, codes: Codes) -> None:
        codes.astype(self.dtype).tofile(self._file)
        self.length += len(codes)


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    block: list[str] = []
    size = 0
    for text in texts:
        block.append(text)
        size += len(text)
        if size >= BLOCK_CHARACTERS:
            yield block
            block, size = [], 0
    if block:
        yield block
