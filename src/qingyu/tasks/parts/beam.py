"""Masks filled together: beam search over their joint probability.

The probability of all fillings is the product, from left to right, of each token's given the text
and what was put before it, with the masks after it still in place.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from qingyu.numbers import FloatArray, IntArray
from qingyu.query import Query
from qingyu.tasks.parts.blanks import Blanks
from qingyu.tasks.parts.words import ask_words
from qingyu.text.lexicon import Lexicon
from qingyu.text.tokenizer import Tokenizer

MAX_TOGETHER = 16  # masks; each takes a visit to the model of its own
WIDTH = 16
WIDTH_BY_PATTERN = 64  # where only whole words can be judged


@dataclass(frozen=True)
class Filling:
    """Tokens for the first masks of a text, and the natural log of their joint probability."""

    ids: tuple[int, ...]
    log_prob: float


def fill_together(
    blanks: Blanks, wanted: int, lexicon: Lexicon | None
) -> Generator[list[Query], list[FloatArray], list[Filling]]:
    """The `wanted` likeliest fillings of all masks, best first.

    With a lexicon, masks that stand side by side are filled by one word that it admits; there may
    be fewer fillings than wanted, or none.
    """
    tokenizer = blanks.context.tokenizer
    width = max(wanted, WIDTH_BY_PATTERN if lexicon and lexicon.pattern else WIDTH)
    beam = [Filling((), 0.0)]
    for run in blanks.runs():
        words = lexicon.spelt(tokenizer, len(run)) if lexicon and lexicon.words else None
        for number in run:
            queries = [blanks.query([number], dict(enumerate(one.ids))) for one in beam]
            answers = yield from ask_words(blanks.context, queries)
            grown: list[Filling] = []
            for one, answer in zip(beam, answers, strict=True):
                begun = one.ids[run[0] :]
                row = answer.log_probabilities()[0]
                allowed = tokenizer.plain_ids if words is None else _next(words, begun)
                best = allowed[_highest(row[allowed], width)]
                grown += [
                    Filling((*one.ids, int(i)), one.log_prob + float(row[i]))
                    for i in best
                    if lexicon is None or _may_stand(tokenizer, lexicon, int(i), len(run))
                ]
            beam = sorted(grown, key=lambda one: (-one.log_prob, one.ids))[:width]
        if lexicon:
            beam = [one for one in beam if lexicon.admits(word(tokenizer, one.ids[run[0] :]))]
    return beam[:wanted]


def word(tokenizer: Tokenizer, ids: tuple[int, ...]) -> str:
    """Tokens side by side as they read in a text."""
    return "".join(tokenizer.surfaces[token_id] for token_id in ids)


def _highest(scores: FloatArray, count: int) -> IntArray:
    """Places of the highest scores, best first and of equals the first, int64 [count or fewer]."""
    if len(scores) > count:
        least = np.partition(scores, -count)[-count]
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")][:count]


def _next(words: IntArray, begun: tuple[int, ...]) -> IntArray:
    """Tokens that go on with a word that has begun so."""
    fits = (words[:, : len(begun)] == np.array(begun, np.int64)).all(axis=1)
    return np.unique(words[fits, len(begun)])


def _may_stand(tokenizer: Tokenizer, lexicon: Lexicon, token_id: int, masks: int) -> bool:
    """Whether a token may be part of a word of so many tokens."""
    piece = tokenizer.surfaces[token_id]
    if lexicon.length is not None and len(piece) > lexicon.length - masks + 1:
        return False
    return lexicon.admits_part(piece)
