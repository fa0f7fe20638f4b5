"""Search 检索: the rows of an index that answer a text, the best of them reranked as pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qingyu.errors import InputError
from qingyu.query import Steps
from qingyu.results import Found, SearchResult
from qingyu.tasks.context import Context
from qingyu.tasks.feature_extraction import feature_extraction
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.parameters import checked_count, checked_flag, checked_text
from qingyu.tasks.parts.rows import Hit, Rows
from qingyu.tasks.similarity import compared, same

NAME = "search"
RERANKED = 10  # rows that are compared with the query as pairs
BY_PAIRS = 0.5  # weight of the pair head beside the index
MOST = 1000  # rows of one answer


def search(
    context: Context, text: str, index: str, *, top_k: int = 5, rerank: bool = True
) -> Steps[SearchResult]:
    """The `top_k` rows of an index that answer a text, best first.

    `index` is the name of one that the model was given. Rows are found by words and by meaning
    together; with `rerank` the first of them are compared with the text by the pair head, where
    the model has one. Raises InputError.
    """
    rows = _index(context, index)
    text = checked_text(text)
    checked_count(top_k, "top_k", 1, MOST)
    checked_flag(rerank, "rerank")
    embedded = yield from feature_extraction(context, text)
    vector = np.array(embedded.embedding, np.float32)
    hits = list(rows.nearest(text, vector, max(top_k, RERANKED)))
    found = {hit.place: rows.row(hit.place) for hit in hits}
    if rerank and hits and any(map(heads.compares, context.heads.values())):
        first = hits[:RERANKED]
        others = [str(found[hit.place][rows.text_column]) for hit in first]
        # By the head alone: what lies open in the words has found the rows already.
        name = context.head(NAME, heads.compares)
        readable = [context.readable(other) for other in others]
        logits, _ = yield from compared(context, name, context.readable(text), readable)
        chances = [same(context.heads[name], row) for row in logits]
        hits = reranked(first, chances) + hits[RERANKED:]
    return SearchResult(text, tuple(_found(rows, hit, found[hit.place]) for hit in hits[:top_k]))


def reranked(hits: Sequence[Hit], same: Sequence[float]) -> list[Hit]:
    """Hits in the order of their scores joined with the probability of meaning the same."""
    joined = [
        Hit(
            hit.id,
            hit.place,
            (1 - BY_PAIRS) * hit.score + BY_PAIRS * chance,
            (1 - BY_PAIRS) * hit.words,
            chance,
        )
        for hit, chance in zip(hits, same, strict=True)
    ]
    return sorted(joined, key=lambda hit: (-hit.score, hit.place))


def _found(rows: Rows, hit: Hit, row: dict[str, object]) -> Found:
    text = str(row[rows.text_column])
    return Found(hit.id, text, hit.score, tuple(row.items()), hit.words, hit.same)


def _index(context: Context, name: object) -> Rows:
    """Raises InputError where the model was not given it."""
    found = context.indexes.get(name) if isinstance(name, str) else None
    if found is None:
        known = "、".join(context.indexes) or "无 (none)"
        raise InputError(
            f"没有名为 {name!r} 的索引；有：{known}。",
            f"There is no index named {name!r}; there are: {known}.",
        )
    return found
