"""Queries packed end to end into the arrays an encoder reads, and lists of them cut by tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from qingyu.query import Query

Feeds: TypeAlias = dict[str, NDArray[Any]]
T = TypeVar("T")

# Attention's rows are summed in vectors of this many numbers. In a rectangle whose width is a
# multiple of it, what lies past a sequence's end adds exact zeros; in any other, the sum's order,
# and so its last bit, would depend on the longest companion, and INT8 rounding enlarges that.
LANES = 16


def pack(queries: Sequence[Query]) -> Feeds:
    """Lay queries end to end: no padding reaches a matrix product.

    Every query asks for at least one position. Returned, for T tokens and N asked rows in B
    sequences of at most L tokens (rounded up to LANES) and R rows:

    input_ids, token_type_ids, position_ids  int64 [T]
    lengths    int32 [B]     tokens of each sequence
    grid       int64 [B, L]  token in each cell of the rectangle attention needs; cells past a
                             sequence's end repeat its last token and are masked by `lengths`
    cells      int64 [T]     where in the flattened rectangle each token stands
    rows       int64 [N]     tokens asked for
    row_grid   int64 [B, R]  index into `rows` for each cell of the rectangle of queries
    row_cells  int64 [N]     where in the flattened [B, R] each asked row stands
    """
    lengths = np.array([len(query.input_ids) for query in queries], np.int64)
    counts = np.array([len(query.positions) for query in queries], np.int64)
    starts = np.cumsum(lengths) - lengths
    grid, position_ids, cells = _rectangle(lengths, starts, LANES)
    row_grid, _, row_cells = _rectangle(counts, np.cumsum(counts) - counts)
    return {
        "input_ids": np.concatenate([query.input_ids for query in queries]),
        "token_type_ids": np.concatenate([query.token_type_ids for query in queries]),
        "position_ids": position_ids,
        "lengths": lengths.astype(np.int32),
        "grid": grid,
        "cells": cells,
        "rows": np.concatenate([query.positions for query in queries]) + np.repeat(starts, counts),
        "row_grid": row_grid,
        "row_cells": row_cells,
    }


def _rectangle(
    lengths: NDArray[np.int64], starts: NDArray[np.int64], multiple: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Item in each cell [B, L], place of each item in its sequence [T], its flat cell [T].

    L is the longest length, rounded up to a multiple.
    """
    longest = -(-int(lengths.max()) // multiple) * multiple
    columns = np.minimum(np.arange(longest), lengths[:, None] - 1)
    places = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    cells = np.repeat(np.arange(len(lengths)) * longest, lengths) + places
    return starts[:, None] + columns, places, cells


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
