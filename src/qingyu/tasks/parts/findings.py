"""Places of a text that are suspected, found piece by piece, with what was meant at each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from qingyu.query import Steps
from qingyu.results import Span
from qingyu.tasks.context import Context
from qingyu.tasks.drive import together
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.evidence import Heads, JudgedPlace, doubtful, portions
from qingyu.tasks.parts.judgement import CHANNEL, TRAINED, Judge, Option, probabilities
from qingyu.tasks.token_classification import token_classification
from qingyu.text.sentences import pieces
from qingyu.text.tokenizer import Tokens

HINT = 0.2  # confidence from which a place is told
PIECE = 96  # tokens read at once
ROUNDS = 2  # a second look where something was put right, since one mistake hides another


@dataclass(frozen=True)
class Finding:
    """A suspected place.

    index:   of the token
    piece:   tokens [start, end) it was read with
    right:   probability that nothing is wrong
    options: what could have been meant, with the probability of each, likeliest first
    """

    index: int
    piece: Span
    right: float
    options: tuple[tuple[Option, float], ...]

    @property
    def confidence(self) -> float:
        """Probability of the likeliest option."""
        return self.options[0][1]


def findings(
    context: Context,
    asked: Heads,
    judge: Judge,
    text: str,
    tokens: Tokens,
    places: Iterable[int],
    threshold: float,
) -> Steps[list[Finding]]:
    """Suspected places among `places`, in order.

    What reaches `threshold` is put right before its piece is looked at once more.
    """
    ids = list(tokens.ids)

    def worth(place: JudgedPlace) -> bool:
        return judge.worth(place, ids, asked.trained)

    wanted = sorted(places)
    found: dict[int, Finding] = {}
    todo = _pieces(context, text, tokens, wanted)
    for _ in range(ROUNDS):
        changed: set[Span] = set()
        for portion in portions(todo):
            steps = [
                doubtful(context, asked, ids, piece, inside, worth) for piece, inside in portion
            ]
            looked = yield from together(steps)
            for (piece, _inside), seen in zip(portion, looked, strict=True):
                for place in seen:
                    options = judge.options(place, ids, asked.trained)
                    one = _weighed(place.index, piece, options, asked.trained)
                    if one is not None:
                        found[one.index] = one
        found = yield from _less_names(context, asked, text, tokens, found)
        for one in found.values():
            option, _chance = one.options[0]
            fresh = ids[one.index] == tokens.ids[one.index]
            if fresh and one.confidence >= threshold and option.kind == "character":
                ids[one.index] = option.token_id
                changed.add(one.piece)
        todo = [
            (piece, [i for i in inside if i not in found]) for piece, inside in todo
            if piece in changed
        ]  # fmt: skip
        todo = [(piece, inside) for piece, inside in todo if inside]
    return [found[index] for index in sorted(found)]


def _pieces(
    context: Context, text: str, tokens: Tokens, places: Sequence[int]
) -> list[tuple[Span, list[int]]]:
    """Pieces of the text that have places, with them."""
    spans = pieces(text, tokens.offsets, min(PIECE, context.room))
    found = []
    at = 0
    for start, end in spans:
        inside = []
        while at < len(places) and places[at] < end:
            inside.append(places[at])
            at += 1
        if inside:
            found.append(((start, end), inside))
    return found


def _weighed(index: int, piece: Span, options: Sequence[Option], trained: bool) -> Finding | None:
    """The finding at a place, if there is one."""
    weights = TRAINED if trained else CHANNEL
    chances = probabilities(options, weights.array, weights.prior)
    order = np.argsort(-chances[1:], kind="stable")
    if not len(order) or chances[1 + order[0]] < HINT:
        return None
    ranked = tuple((options[i], float(chances[1 + i])) for i in order)
    return Finding(index, piece, float(chances[0]), ranked)


def _less_names(
    context: Context, asked: Heads, text: str, tokens: Tokens, found: dict[int, Finding]
) -> Steps[dict[int, Finding]]:
    """The findings once names speak for themselves: what the entity head takes for a name is
    written as somebody writes it."""
    tagger = next((n for n, head in context.heads.items() if heads.names(head)), None)
    if tagger is None or not found:
        return found
    by_piece = {
        piece: list(group)
        for piece, group in groupby(
            sorted(found.values(), key=lambda one: one.index), key=lambda one: one.piece
        )
    }
    shown = [(tokens.offsets[start][0], tokens.offsets[end - 1][1]) for start, end in by_piece]
    tagged = yield from together(
        [token_classification(context, text[start:end], head=tagger) for start, end in shown]
    )
    weights = TRAINED if asked.trained else CHANNEL
    kept = {}
    for (start, _), result, group in zip(shown, tagged, by_piece.values(), strict=True):
        named = {i + start for one in result.entities for i in range(one.start, one.end)}
        for one in group:
            if tokens.offsets[one.index][0] in named:
                lowered = _lowered(one, weights.name)
                if lowered.confidence >= HINT:
                    kept[one.index] = lowered
            else:
                kept[one.index] = one
    return kept


def _lowered(one: Finding, by: float) -> Finding:
    """A finding whose options have lost so many nats."""
    factor = float(np.exp(-by))
    total = one.right + factor * (1 - one.right)
    options = tuple((option, chance * factor / total) for option, chance in one.options)
    return Finding(one.index, one.piece, one.right / total, options)
