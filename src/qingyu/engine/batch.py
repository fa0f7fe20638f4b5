"""Queries packed end to end into the arrays an encoder reads, and lists of them cut by tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from qingyu.numbers import IntArray
from qingyu.query import Query

Feeds: TypeAlias = dict[str, NDArray[Any]]
T = TypeVar("T")

# Attention's rows are summed in vectors of this many numbers. In a rectangle whose width is a
# multiple of it, what lies past a sequence's end adds exact zeros; in any other, the sum's order,
# and so its last bit, would depend on the longest companion, and INT8 rounding enlarges that.
LANES = 16

# A product with one row is summed in another order than one with more, so that a last bit would
# depend on whether a companion asks for several rows.
LEAST_ROWS = 2


@dataclass(frozen=True)
class Group:
    """Neighbouring sequences of a batch whose rows one head reads: from `first` up to `end`."""

    head: str
    first: int
    end: int


@dataclass(frozen=True, eq=False)
class PackedBatch:
    """Sequences laid end to end, T tokens in B sequences of which N rows are asked for.

    input_ids, token_type_ids  int64 [T]
    lengths    int64 [B]  tokens of each sequence
    counts     int64 [B]  rows asked of each, one at least
    positions  int64 [N]  the rows asked for, each a position in its own sequence
    groups     the sequences by head, in order: they cover the batch without a gap
    """

    input_ids: IntArray
    token_type_ids: IntArray
    lengths: IntArray
    counts: IntArray
    positions: IntArray
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, queries: Sequence[Query]) -> PackedBatch:
        """Queries as they stand: those of one head should be neighbours."""
        heads = [query.head for query in queries]
        edges = [0, *(i for i in range(1, len(heads)) if heads[i] != heads[i - 1]), len(heads)]
        groups = (Group(heads[first], first, end) for first, end in pairwise(edges))
        return cls(
            np.concatenate([query.input_ids for query in queries]),
            np.concatenate([query.token_type_ids for query in queries]),
            np.array([len(query.input_ids) for query in queries], np.int64),
            np.array([len(query.positions) for query in queries], np.int64),
            np.concatenate([query.positions for query in queries]),
            tuple(groups),
        )

    def part(self, first: int, end: int) -> PackedBatch:
        """The sequences from `first` up to `end`, without groups."""
        tokens = slice(int(self.lengths[:first].sum()), int(self.lengths[:end].sum()))
        rows = slice(int(self.counts[:first].sum()), int(self.counts[:end].sum()))
        return PackedBatch(
            self.input_ids[tokens],
            self.token_type_ids[tokens],
            self.lengths[first:end],
            self.counts[first:end],
            self.positions[rows],
            (),
        )

    @classmethod
    def joined(cls, parts: Sequence[PackedBatch]) -> PackedBatch:
        """One after another, without groups; at least one."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.input_ids for part in parts]),
            np.concatenate([part.token_type_ids for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.counts for part in parts]),
            np.concatenate([part.positions for part in parts]),
            (),
        )

    def asking_all(self) -> PackedBatch:
        """The same sequences, asked for all their rows."""
        return replace(self, counts=self.lengths, positions=places(self.lengths))


def places(lengths: IntArray) -> IntArray:
    """The position of each token in its own sequence, [T]."""
    return np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def pack(queries: Sequence[Query]) -> Feeds:
    """Queries end to end as `feeds` lays them out."""
    return feeds(PackedBatch.of(queries))


def feeds(batch: PackedBatch) -> Feeds:
    """What a graph that reads tokens is fed. Beside `layout`:

    input_ids, token_type_ids, position_ids  int64 [T]
    """
    return {
        "input_ids": batch.input_ids,
        "token_type_ids": batch.token_type_ids,
        "position_ids": places(batch.lengths),
        **layout(batch),
    }


def layout(batch: PackedBatch) -> Feeds:
    """Where tokens and rows stand in the rectangles that attention needs: no padding reaches a
    matrix product. For T tokens and N asked rows in B sequences of at most L tokens (rounded up to
    LANES) and R rows:

    lengths    int32 [B]     tokens of each sequence
    grid       int64 [B, L]  token in each cell of the rectangle attention needs; cells past a
                             sequence's end repeat its last token and are masked by `lengths`
    cells      int64 [T]     where in the flattened rectangle each token stands
    rows       int64 [N]     tokens asked for
    row_grid   int64 [B, R]  index into `rows` for each cell of the rectangle of queries
    row_cells  int64 [N]     where in the flattened [B, R] each asked row stands
    """
    starts = np.cumsum(batch.lengths) - batch.lengths
    grid, cells = _rectangle(batch.lengths, starts, 1, LANES)
    first_rows = np.cumsum(batch.counts) - batch.counts
    row_grid, row_cells = _rectangle(batch.counts, first_rows, LEAST_ROWS)
    return {
        "lengths": batch.lengths.astype(np.int32),
        "grid": grid,
        "cells": cells,
        "rows": batch.positions + np.repeat(starts, batch.counts),
        "row_grid": row_grid,
        "row_cells": row_cells,
    }


def _rectangle(
    lengths: IntArray, starts: IntArray, least: int, multiple: int = 1
) -> tuple[IntArray, IntArray]:
    """Item in each cell [B, L] and the flat cell of each item [T].

    L is the longest length and at least `least`, rounded up to a multiple.
    """
    longest = -(-max(least, int(lengths.max())) // multiple) * multiple
    columns = np.minimum(np.arange(longest), lengths[:, None] - 1)
    cells = np.repeat(np.arange(len(lengths)) * longest, lengths) + places(lengths)
    return starts[:, None] + columns, cells


def cut(queries: Sequence[Query], max_tokens: int) -> Iterator[list[int]]:
    """Indices of `queries` in batches of at most `max_tokens`, like lengths together.

    A query longer than `max_tokens` is a batch of its own.
    """
    order = sorted(range(len(queries)), key=lambda index: queries[index].cost)
    return neighbours(order, lambda index: queries[index].cost, max_tokens)


def neighbours(items: Iterable[T], cost: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """`items` in their order, in parts that cost at most `most` together; one that costs more is a
    part of its own.
    """
    part: list[T] = []
    total = 0
    for item in items:
        added = cost(item)
        if part and total + added > most:
            yield part
            part, total = [], 0
        part.append(item)
        total += added
    if part:
        yield part
