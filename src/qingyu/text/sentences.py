"""Where sentences end, and how a text is cut into pieces that a model reads at once."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from qingyu.results import Span

# An end of a sentence with the quotes and brackets that close after it, or an end of a line.
_SENTENCE = re.compile(r"(?:[。！？!?…]+|[；;](?=\s|[\u3400-\u9fff])|\.(?=\s))[”’」』）)\"']*|\n+")
_CLAUSE = re.compile(r"[，、：；,:;\s]")


def pieces(text: str, offsets: Sequence[Span], most: int) -> list[Span]:
    """Tokens [start, end) of pieces that together are the text: neighbouring sentences, at most
    `most` tokens. A sentence longer than that is cut after a clause, or where it must be."""
    spans: list[Span] = []
    start = 0
    for end in _ends(text, offsets, _SENTENCE):
        while end - start > most:
            cut = _cut(text, offsets, start, most)
            spans.append((start, cut))
            start = cut
        if end > start:
            spans.append((start, end))
        start = end
    return _joined(spans, most)


def sentence_ends(text: str) -> list[int]:
    """Where each sentence of a text ends, but for a last one without an end of its own."""
    return [match.end() for match in _SENTENCE.finditer(text)]


def _ends(text: str, offsets: Sequence[Span], pattern: re.Pattern[str]) -> list[int]:
    """Numbers of tokens before which a match ends; that of all tokens last."""
    starts = [start for start, _ in offsets]
    ends = {bisect_right(starts, match.end() - 1) for match in pattern.finditer(text)}
    return [*sorted(end for end in ends if 0 < end < len(starts)), len(starts)]


def _cut(text: str, offsets: Sequence[Span], start: int, most: int) -> int:
    """Where a run of too many tokens from `start` is best cut."""
    for i in range(start + most, start + most // 2, -1):
        if _CLAUSE.match(text, offsets[i - 1][0]):
            return i
    return start + most


def _joined(spans: Sequence[Span], most: int) -> list[Span]:
    """Neighbours run together while they fit."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and end - joined[-1][0] <= most:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
