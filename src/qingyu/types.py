"""What passes between the floors: queries going down, results coming up.

A task never runs a model. It is a generator that yields lists of `Query`, receives one array a
query, and returns a result (`Steps`). Whoever drives it, the synchronous `Model` or the
service's scheduler, decides how queries of many tasks and callers share a batch.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float32]
Truncate: TypeAlias = Literal["around-mask", "error"]

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Query:
    """One sequence of tokens and what is asked of it.

    input_ids:      int64 [length], special tokens included
    token_type_ids: int64 [length]
    positions:      int64 [n], the positions whose hidden states the head reads
    head:           name of a head in the manifest, or "" for the hidden states themselves

    The answer is float32 [n, outputs of the head].
    """

    input_ids: IntArray
    token_type_ids: IntArray
    positions: IntArray
    head: str = ""

    @property
    def cost(self) -> int:
        """Tokens the encoder reads; the one unit of batching, admission and limits."""
        return len(self.input_ids)


Steps: TypeAlias = Generator[list[Query], list[FloatArray], R]


class Result:
    """Base of all results: frozen, and the same fields in Python, on the CLI and over HTTP."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True)
class Candidate(Result):
    """A token proposed for a mask: `score` is its probability, `sequence` the text with it in."""

    token: str
    token_id: int
    score: float
    sequence: str


@dataclass(frozen=True)
class MaskFill(Result):
    """One mask: where it stands (code points of the text as sent) and its candidates."""

    start: int
    end: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class FillMaskResult(Result):
    """`sequence` has every mask filled with its best candidate.

    `truncated` says that the model read only a window of the text around the masks.
    """

    text: str
    sequence: str
    masks: tuple[MaskFill, ...]
    truncated: bool
