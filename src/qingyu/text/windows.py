"""Windows of a long text: where they lie, how they overlap, and what stays unread.

Lengths and [start, end) are in tokens, without the special tokens around them; only `unread` is in
code points.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from qingyu.results import Span


def groups(places: Sequence[int], room: int) -> list[list[int]]:
    """Places that can be seen together: each group spans at most `room` tokens."""
    together: list[list[int]] = []
    for place in places:
        if together and place - together[-1][0] < room:
            together[-1].append(place)
        else:
            together.append([place])
    return together


def around(first: int, last: int, length: int, room: int) -> Span:
    """At most `room` of `length` tokens, with [first, last) in the middle."""
    if length <= room:
        return 0, length
    start = (first + last - room) // 2
    start = max(0, min(start, length - room))
    return start, start + room


def overlapping(length: int, room: int) -> list[Span]:
    """Windows of `room` tokens that cover `length`, each sharing a quarter with the one before.

    The last one ends with the text, and so may share more.
    """
    if length <= room:
        return [(0, length)]
    step = max(1, room - room // 4)
    starts = [*range(0, length - room, step), length - room]
    return [(start, start + room) for start in starts]


def cores(spans: Sequence[Span]) -> list[Span]:
    """The part of each window that it alone answers for: neighbours share their overlap evenly.

    The cores follow each other without a gap, and away from the ends of the text no core comes
    near its window's edge.
    """
    ends = [(left[1] + right[0]) // 2 for left, right in pairwise(spans)]
    return list(zip([spans[0][0], *ends], [*ends, spans[-1][1]], strict=True))


def unread(text: str, offsets: Sequence[Span], read: Sequence[Span]) -> tuple[Span, ...]:
    """Code points outside all windows `read` (in order), by the offsets of the tokens."""
    gaps = []
    last = 0
    for start, end in [*read, (len(offsets), len(offsets))]:
        if start > last:
            first = offsets[last - 1][1] if last else 0
            stop = offsets[start][0] if start < len(offsets) else len(text)
            gaps.append((first, stop))
        last = max(last, end)
    return tuple(gaps)
