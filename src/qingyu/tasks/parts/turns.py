"""Asking a little at a time: neither queries nor answers of a task pile up, and between two turns
whoever drives it can stop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qingyu.query import Query

ROWS_AT_ONCE = 128  # a row may hold a number for every word of the vocabulary


def turns(queries: Iterable[Query]) -> Iterator[list[Query]]:
    """`queries` in their order, so many at a time as ask for `ROWS_AT_ONCE` rows, one at least."""
    asked: list[Query] = []
    rows = 0
    for query in queries:
        if asked and rows + len(query.positions) > ROWS_AT_ONCE:
            yield asked
            asked, rows = [], 0
        asked.append(query)
        rows += len(query.positions)
    if asked:
        yield asked
