"""What goes down between the floors: queries to a model, and the generators that yield them.

A task never runs a model. It is a generator that yields lists of `Query`, receives one array a
query, and returns a result (`Steps`). Whoever drives it, the synchronous `Model` or the
service's scheduler, decides how queries of many tasks and callers share a batch.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float32]

R = TypeVar("R", covariant=True)


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
