"""Tokens of a text predicted from all the others, at a cost that is bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from qingyu.numbers import FloatArray
from qingyu.query import Steps
from qingyu.results import Span
from qingyu.tasks.context import Context
from qingyu.tasks.parts.turns import ROWS_AT_ONCE
from qingyu.tasks.parts.words import ask_words
from qingyu.text import windows

T = TypeVar("T")
Pass: TypeAlias = tuple[Span, list[int]]

# Masks this far apart share a pass, so a text costs at most so many times its tokens. Up to this
# length every token is masked alone; beyond it 1 token in 32 is hidden at a time, where a masked
# language model is trained to do without 1 in 7.
APART = 32


def predicted(
    context: Context,
    head: str,
    ids: Sequence[int],
    places: Sequence[int],
    keep: Callable[[int, FloatArray], T],
) -> Steps[dict[int, T]]:
    """For each of `places`, `keep(place, log-probabilities [vocabulary])` of what is there masked.

    `ids` may be longer than the model reads: then a place is predicted in the one of several
    overlapping windows that shows most around it. The dictionary is in the order of `places`.
    """
    mask_id = context.tokenizer.mask_id or 0
    kept: dict[int, T] = {}
    todo = passes(len(ids), places, context.room)
    while todo:
        now: list[Pass] = []
        rows = 0
        while todo and (not now or rows + len(todo[-1][1]) <= ROWS_AT_ONCE):
            now.append(todo.pop())
            rows += len(now[-1][1])
        queries = []
        for (start, end), hidden in now:
            masked = list(ids[start:end])
            for place in hidden:
                masked[place - start] = mask_id
            queries.append(context.query(masked, [place - start for place in hidden], head))
        answers = yield from ask_words(context, queries)
        for (_, hidden), answer in zip(now, answers, strict=True):
            for place, row in zip(hidden, answer.log_probabilities(), strict=True):
                kept[place] = keep(place, row)
    return {place: kept[place] for place in places}


def passes(length: int, places: Sequence[int], room: int) -> list[Pass]:
    """Windows of the text, each with the places to mask in it at once; the first to do last."""
    spans = windows.overlapping(length, room)
    made: list[Pass] = []
    for span, (first, last) in zip(spans, windows.cores(spans), strict=True):
        together: dict[int, list[int]] = {}
        for place in places:
            if first <= place < last:
                together.setdefault(place % APART, []).append(place)
        made += [(span, hidden) for hidden in together.values()]
    return made[::-1]
