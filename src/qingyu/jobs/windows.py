"""Rows in windows: read together, computed together, written in the order they came in.

A window is bounded by rows and by characters, and its ends depend on the file alone: a job that
goes on after a crash meets the same windows as one that was never disturbed.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from qingyu.errors import InputError

from .columns import Inputs
from .rows import BadRow, Position, Row
from .sources import Reader

Texts: TypeAlias = tuple[str, ...]
Outcome: TypeAlias = "dict[str, Any] | InputError"
Ask: TypeAlias = Callable[[Sequence[Texts]], Iterable[Outcome]]
"""Results for inputs, in their order; an error for an input that is refused. They may be computed
in the background until they are taken."""

CACHE_BYTES = 32 << 20
ENTRY_BYTES = 200  # what an entry of the cache takes beside its texts


@dataclass(frozen=True)
class Limits:
    """A window ends with the row that reaches one of these; `bytes` are those rows are charged."""

    rows: int = 512
    characters: int = 25_000
    bytes: int = 4 << 20


@dataclass(frozen=True)
class Window:
    """Rows, the place behind them, and how much of the stored file has been read."""

    rows: tuple[Row | BadRow, ...]
    end: Position
    read_bytes: int


@dataclass(frozen=True)
class Answered:
    """A window with a result for each row, or the error that the row has."""

    window: Window
    outcomes: tuple[Outcome, ...]


def read_windows(reader: Reader, limits: Limits) -> Iterator[Window]:
    """All rows from where the reader stands."""
    rows: list[Row | BadRow] = []
    characters = size = 0
    for row in reader:
        rows.append(row)
        size += row.size
        values = row.raw.values() if isinstance(row, BadRow) else row.cells.values()
        characters += sum(len(value) for value in values if isinstance(value, str))
        full = len(rows) >= limits.rows or characters >= limits.characters
        if full or size >= limits.bytes:
            yield Window(tuple(rows), reader.position, reader.read_bytes)
            rows, characters, size = [], 0, 0
    if rows:
        yield Window(tuple(rows), reader.position, reader.read_bytes)


class Answering:
    """Answers windows: what was asked before is not computed again, as long as it is remembered."""

    def __init__(
        self,
        ask: Ask,
        inputs: Inputs,
        *,
        max_characters: int | None = None,
        room: int = CACHE_BYTES,
    ) -> None:
        self._ask = ask
        self._inputs = inputs
        self._max_characters = max_characters
        self._known: OrderedDict[Texts, bytes] = OrderedDict()
        self._coming: dict[Texts, dict[Texts, Outcome]] = {}  # where each answer will stand
        self._room = room
        self._size = 0
        self.computed = 0

    def answer(self, window: Window) -> Answered:
        return self.begin(window)()

    def begin(self, window: Window) -> Callable[[], Answered]:
        """Ask for what is not known; what is returned waits for it. Windows are to be finished in
        the order they were begun in."""
        read = [self._read(row) for row in window.rows]
        known: dict[Texts, Outcome] = {}
        borrowed: dict[Texts, dict[Texts, Outcome]] = {}
        asked: list[Texts] = []
        for texts in dict.fromkeys(one for one in read if isinstance(one, tuple)):
            if texts in self._known:
                self._known.move_to_end(texts)
                known[texts] = pickle.loads(self._known[texts])  # noqa: S301 our own
            elif texts in self._coming:
                borrowed[texts] = self._coming[texts]
            else:
                asked.append(texts)
        asked.sort(key=_length)  # like lengths together: batches are cut from neighbours
        coming = iter(self._ask(asked) if asked else ())
        self._coming.update(dict.fromkeys(asked, known))
        self.computed += len(asked)

        def finish() -> Answered:
            for texts, outcome in zip(asked, coming, strict=True):
                known[texts] = outcome
                self._remember(texts, outcome)
                del self._coming[texts]
            known.update((texts, theirs[texts]) for texts, theirs in borrowed.items())
            outcomes = tuple(known[one] if isinstance(one, tuple) else one for one in read)
            return Answered(window, outcomes)

        return finish

    def _read(self, row: Row | BadRow) -> Texts | InputError:
        if isinstance(row, BadRow):
            return row.error
        try:
            return self._inputs.of(row.cells, self._max_characters)
        except InputError as error:
            return error

    def _remember(self, texts: Texts, outcome: Outcome) -> None:
        if isinstance(outcome, InputError):
            return
        value = pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)
        self._known[texts] = value
        self._size += _bytes(texts, value)
        while self._size > self._room and self._known:
            self._size -= _bytes(*self._known.popitem(last=False))


def answer_all(
    windows: Iterable[Window], answering: Answering, ahead: int = 1
) -> Iterator[Answered]:
    """The windows in their order. The next `ahead` are read and begun before one is given, so that
    what computes in the background has work while this one is written."""
    begun: deque[Callable[[], Answered]] = deque()
    for window in windows:
        begun.append(answering.begin(window))
        if len(begun) > ahead:
            yield begun.popleft()()
    while begun:
        yield begun.popleft()()


def _length(texts: Texts) -> int:
    return sum(map(len, texts))


def _bytes(texts: Texts, value: bytes) -> int:
    return 2 * _length(texts) + len(value) + ENTRY_BYTES
