"""Queries to a model, and the generators that yield them.

A task never runs a model. It is a generator that yields lists of `Query`, receives one array a
query, and returns a result (`Steps`). Whoever drives it, the synchronous `Model` or the
service's scheduler, decides how queries of many tasks and callers share a batch.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from qingyu.numbers import FloatArray, IntArray

R = TypeVar("R", covariant=True)


@dataclass(frozen=True)
class Generation:
    """How an encoder-decoder is to write.

    beams:          hypotheses kept while searching; 1 is greedy search
    sequences:      hypotheses given, at most `beams`
    length_penalty: above 0 favours longer ones
    early_stopping: stop as soon as as many hypotheses are finished as there are beams
    """

    max_new_tokens: int = 20
    beams: int = 1
    sequences: int = 1
    length_penalty: float = 1.0
    early_stopping: bool = False


@dataclass(frozen=True, eq=False)
class Query:
    """One sequence of tokens and what is asked of it.

    input_ids:      int64 [length], special tokens included
    token_type_ids: int64 [length]
    positions:      int64 [n], the positions whose hidden states the head reads
    head:           name of a head in the manifest, or "" for the hidden states themselves
    generation:     how to write, where the head writes text; it reads all positions

    The answer is float32 [n, outputs of the head]; of text, [sequences, 1 + tokens]: the score of
    each, then its token ids, then -1.
    """

    input_ids: IntArray
    token_type_ids: IntArray
    positions: IntArray
    head: str = ""
    generation: Generation | None = None

    @property
    def cost(self) -> int:
        """Tokens read, and written by all beams; the one unit of batching, admission and limits."""
        written = self.generation.max_new_tokens * self.generation.beams if self.generation else 0
        return len(self.input_ids) + written


@dataclass(frozen=True)
class Cost:
    """What an answer will take, told from sizes alone before anything is built.

    tokens: that the model reads and writes; reading the text itself is counted in them too
    bytes:  of the answer, as JSON in UTF-8
    """

    tokens: int
    bytes: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.tokens + other.tokens, self.bytes + other.bytes)


Steps: TypeAlias = Generator[list[Query], list[FloatArray], R]
