"""Feature extraction 句向量: a text as one vector, the mean of its tokens' hidden states."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qingyu.bundle import Pooling
from qingyu.numbers import FloatArray, IntArray
from qingyu.query import Query, Steps
from qingyu.results import EmbeddingResult, LongText
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.parameters import checked_choice, checked_text, wrong
from qingyu.text.reading import read

NAME = "feature-extraction"

# What a kind of pooling makes of the states of the tokens it looks at, [rows, hidden].
POOL: dict[Pooling, Callable[[FloatArray], FloatArray]] = {
    "mean": lambda states: states.mean(axis=0),
    "max": lambda states: states.max(axis=0),
    "mean-sqrt-length": lambda states: states.sum(axis=0) / np.sqrt(np.float32(len(states))),
    "cls": lambda states: states[0],
    "last": lambda states: states[0],
}


def feature_extraction(
    context: Context, text: str, *, normalize: bool = True, truncate: LongText = "windows"
) -> Steps[EmbeddingResult]:
    """One vector: the mean over all tokens, special ones included, of what a head trained for it
    gives, or of the encoder's last hidden states where there is no such head; another pooling where
    the bundle says so (`EmbeddingInfo`).

    Scaled to length 1 unless `normalize` is off, so that the dot product of two is their cosine.
    A long text is read in overlapping windows whose means are averaged ("windows"), read from its
    beginning ("end"), or refused ("error"). Raises InputError and TextTooLongError.
    """
    checked_choice(truncate, "truncate", LongText)
    if not isinstance(normalize, bool):
        raise wrong("normalize", "布尔值", "true or false", repr(normalize))
    text = checked_text(text)
    info = context.embedding
    room = min(
        context.room, max(1, (info.max_tokens or context.max_tokens) - context.tokenizer.frame.size)
    )
    head = next((name for name, one in context.heads.items() if heads.embeds(one)), "")
    plain = context.readable(text)
    reading = read(context.tokenizer, plain, room, truncate)
    queries = []
    for part in reading.parts():
        input_ids, token_type_ids = context.tokenizer.framed(part)
        rows = _rows(info.pooling, len(input_ids))
        queries.append(Query(input_ids, token_type_ids, rows, head))
    pool = POOL[info.pooling]
    pooled = np.stack([pool(states) for states in (yield queries)])
    vector = reading.mean(pooled).astype(np.float64)
    if normalize:
        vector /= np.linalg.norm(vector) or 1.0
    told = bool(reading.unread), reading.unread
    return EmbeddingResult(text, tuple(vector.tolist()), *told, converted=plain != text)


def _rows(pooling: Pooling, count: int) -> IntArray:
    """Which of `count` tokens a pooling looks at, int64 [rows]."""
    if pooling == "cls":
        return np.arange(1)
    return np.arange(count - 1, count) if pooling == "last" else np.arange(count)
