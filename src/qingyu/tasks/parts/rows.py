"""An index of rows, as tasks see it; `qingyu.search.index` has the one there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from qingyu.numbers import FloatArray


@dataclass(frozen=True)
class Hit:
    """A row found: `id` it keeps, its place in the index, its score, the part of the score which
    shared words make, and the probability of meaning the same where it was reranked."""

    id: int
    place: int
    score: float
    words: float = 0.0
    same: float | None = None


class Rows(Protocol):
    """Rows that are found by words and by meaning.

    text_column: the column that is searched
    largest:     bytes of the longest row
    """

    text_column: str

    @property
    def name(self) -> str: ...
    @property
    def largest(self) -> int: ...
    def nearest(self, text: str, vector: FloatArray, count: int) -> Sequence[Hit]: ...
    def row(self, place: int) -> dict[str, Any]: ...
