"""Searching an index with a loaded model: nearest rows, the best of them reranked as pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from qingyu.errors import BundleError, InputError
from qingyu.numbers import FloatArray
from qingyu.results import EmbeddingResult, Found, RankResult, SearchResult
from qingyu.search.index import Hit, Index, added, write
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.parameters import checked_count, checked_text

RERANKED = 10  # rows that are compared with the query as pairs
BY_PAIRS = 0.5  # weight of the pair head beside the index
TEXTS_AT_ONCE = 4096


class Searcher(Protocol):
    """A loaded model, as far as searching needs it."""

    context: Context

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def embed(self) -> Callable[[list[str]], list[EmbeddingResult]]: ...
    @property
    def rank(self) -> Callable[[str, list[str]], RankResult]: ...


def encode(model: Searcher, texts: Sequence[str]) -> FloatArray:
    """Vectors of length 1, float32 [n, d]. Raises InputError."""
    parts = []
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        results = model.embed(list(texts[first : first + TEXTS_AT_ONCE]))
        parts.append(np.array([one.embedding for one in results], np.float32))
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def build_index(
    model: Searcher, rows: Iterable[Mapping[str, Any] | str], out: str | Path, *, text: str = "text"
) -> Index:
    """An index of rows, searched by their column `text`; a string is a row of that column alone.

    Raises InputError for a row without a text, BundleError where the folder cannot be written.
    """
    whole = [{text: row} if isinstance(row, str) else dict(row) for row in rows]
    texts = [_text_of(row, text, number) for number, row in enumerate(whole, 1)]
    if not whole:
        raise InputError("没有可以索引的行。", "There is no row to index.")
    write(out, whole, encode(model, texts), ids=range(len(whole)), text=text, model=model.digest)
    return Index(out)


def add_rows(model: Searcher, index: Index, rows: Iterable[Mapping[str, Any] | str]) -> Index:
    """The index with more rows. Raises InputError and BundleError."""
    require(model, index)
    whole = [{index.text_column: row} if isinstance(row, str) else dict(row) for row in rows]
    texts = [_text_of(row, index.text_column, number) for number, row in enumerate(whole, 1)]
    if whole:
        added(index, whole, encode(model, texts))
    return Index(index.folder)


def search(
    model: Searcher, index: Index | str | Path, text: str, *, top_k: int = 5, rerank: bool = True
) -> SearchResult:
    """The `top_k` rows of an index that answer a text, best first.

    Found by words and by meaning together; with `rerank` the first of them are compared with the
    text by the pair head, where the model has one. Raises InputError and BundleError.
    """
    text = checked_text(text)
    checked_count(top_k, "top_k", 1, 1000)
    index = index if isinstance(index, Index) else Index(index)
    require(model, index)
    vector = encode(model, [text])[0]
    hits = index.nearest(text, vector, max(top_k, RERANKED))
    if rerank and hits and any(map(heads.compares, model.context.heads.values())):
        first = hits[:RERANKED]
        others = [index.text(hit.place) for hit in first]
        ranked = model.rank(text, others)
        scores = {one.index: one.score for one in ranked.ranking}
        hits = reranked(first, [scores[i] for i in range(len(first))]) + hits[RERANKED:]
    return result(index, text, hits[:top_k])


def reranked(hits: Sequence[Hit], same: Sequence[float]) -> list[Hit]:
    """Hits in the order of their scores joined with the probability of meaning the same."""
    joined = [
        Hit(hit.id, hit.place, (1 - BY_PAIRS) * hit.score + BY_PAIRS * chance)
        for hit, chance in zip(hits, same, strict=True)
    ]
    return sorted(joined, key=lambda hit: (-hit.score, hit.place))


def result(index: Index, text: str, hits: Sequence[Hit]) -> SearchResult:
    """Hits with their rows."""
    rows = [index.row(hit.place) for hit in hits]
    answers = [
        Found(hit.id, str(row[index.text_column]), hit.score, tuple(row.items()))
        for hit, row in zip(hits, rows, strict=True)
    ]
    return SearchResult(text, tuple(answers))


def require(model: Searcher, index: Index) -> None:
    """Raises BundleError where the index was made with another model."""
    if index.model != model.digest:
        raise BundleError(
            f"索引 {index.folder} 是用另一个模型建的，请用 {model.name} 重建。",
            f"The index {index.folder} was built with another model; build it with {model.name}.",
        )


def _text_of(row: Mapping[str, Any], column: str, number: int) -> str:
    text = str(row.get(column) or "").strip()
    if not text:
        there = "、".join(map(str, row))
        raise InputError(
            f"第 {number} 行没有「{column}」；有：{there}。",
            f"Row {number} has no {column}; it has: {there}.",
        )
    return text
