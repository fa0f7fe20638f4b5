"""Feature extraction 句向量: a text as one vector, the mean of its tokens' hidden states."""

from __future__ import annotations

import numpy as np

from qingyu.query import Query, Steps
from qingyu.results import EmbeddingResult, LongText
from qingyu.tasks.context import Context
from qingyu.tasks.parts.parameters import checked_choice, checked_text, wrong
from qingyu.text.reading import read

NAME = "feature-extraction"


def feature_extraction(
    context: Context, text: str, *, normalize: bool = True, truncate: LongText = "windows"
) -> Steps[EmbeddingResult]:
    """The mean over all tokens, special ones included, of the encoder's last hidden states.

    Scaled to length 1 unless `normalize` is off, so that the dot product of two is their cosine.
    A long text is read in overlapping windows whose means are averaged ("windows"), read from its
    beginning ("end"), or refused ("error"). Raises InputError and TextTooLongError.
    """
    checked_choice(truncate, "truncate", LongText)
    if not isinstance(normalize, bool):
        raise wrong("normalize", "布尔值", "true or false", repr(normalize))
    text = checked_text(text)
    reading = read(context.tokenizer, text, context.room, truncate)
    queries = []
    for part in reading.parts():
        input_ids, token_type_ids = context.tokenizer.framed(part)
        queries.append(Query(input_ids, token_type_ids, np.arange(len(input_ids))))
    means = np.stack([states.mean(axis=0) for states in (yield queries)])
    vector = reading.mean(means).astype(np.float64)
    if normalize:
        vector /= np.linalg.norm(vector) or 1.0
    return EmbeddingResult(text, tuple(vector.tolist()), bool(reading.unread), reading.unread)
