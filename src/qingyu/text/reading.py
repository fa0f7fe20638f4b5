"""A text as token windows that fit the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qingyu.errors import TextTooLongError
from qingyu.numbers import FloatArray
from qingyu.results import Span
from qingyu.text import windows
from qingyu.text.tokenizer import Tokenizer, Tokens


@dataclass(frozen=True)
class Reading:
    """Tokens of a text, the windows of them that are read, and what stays unread."""

    tokens: Tokens
    spans: Sequence[Span]
    unread: tuple[Span, ...] = ()

    def parts(self) -> list[list[int]]:
        """Token ids of each window."""
        return [self.tokens.ids[start:end] for start, end in self.spans]

    def mean(self, answers: FloatArray) -> FloatArray:
        """The mean of one answer a window [windows, ...], each weighed by the tokens it alone
        answers for."""
        weights = [end - start for start, end in windows.cores(self.spans)]
        if len(weights) == 1:
            return np.asarray(answers[0], np.float32)
        return np.asarray(np.average(answers, axis=0, weights=weights), np.float32)


def read(tokenizer: Tokenizer, text: str, room: int, policy: str) -> Reading:
    """`text` in windows of `room` tokens ("windows"), its beginning alone ("end"), or whole.

    Raises TextTooLongError where it does not fit and `policy` is "error".
    """
    tokens = tokenizer.tokens(text)
    length = len(tokens.ids)
    if length <= room:
        return Reading(tokens, [(0, length)])
    if policy == "error":
        raise TextTooLongError(length, room)
    if policy == "windows":
        return Reading(tokens, windows.overlapping(length, room))
    spans = [(0, room)]
    return Reading(tokens, spans, windows.unread(text, tokens.offsets, spans))


def read_pair(
    tokenizer: Tokenizer, first: str, second: str, room: int, policy: str
) -> tuple[Reading, Reading]:
    """Two texts that fit together in `room` tokens, the longer cut at its end where they do not.

    Raises TextTooLongError where they do not fit and `policy` is "error".
    """
    tokens = tokenizer.tokens(first), tokenizer.tokens(second)
    return fitted((first, second), tokens, room, policy)


def fitted(
    texts: tuple[str, str], tokens: tuple[Tokens, Tokens], room: int, policy: str
) -> tuple[Reading, Reading]:
    """`read_pair` of two texts that are tokenised already."""
    lengths = len(tokens[0].ids), len(tokens[1].ids)
    if sum(lengths) > room and policy == "error":
        raise TextTooLongError(sum(lengths), room)
    half = room // 2
    kept = (
        min(lengths[0], max(room - half, room - lengths[1])),
        min(lengths[1], max(half, room - lengths[0])),
    )
    readings = [
        Reading(part, [(0, keep)], windows.unread(text, part.offsets, [(0, keep)]))
        for text, part, keep in zip(texts, tokens, kept, strict=True)
    ]
    return readings[0], readings[1]
