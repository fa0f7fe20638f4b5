"""Words given to choose from, of any length, at a mask."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from qingyu.errors import InputError
from qingyu.numbers import FloatArray
from qingyu.query import Query
from qingyu.tasks.parts.blanks import Blanks
from qingyu.tasks.parts.parameters import checked_strings
from qingyu.tasks.parts.turns import turns
from qingyu.tasks.parts.words import ask_words
from qingyu.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Target:
    """How probable a word is at a mask, and whether a memory of phrases made it likelier."""

    score: float
    remembered: bool


def pieces_of(
    tokenizer: Tokenizer,
    targets: str | Sequence[str],
    name: str = "targets",
    spelt_as: Callable[[str], str] = str,
) -> dict[str, list[int]]:
    """Each target once, with the tokens of what it is spelt as. Raises InputError where the
    vocabulary cannot spell it."""
    pieces = {}
    for target in checked_strings([targets] if isinstance(targets, str) else targets, name):
        plain = spelt_as(target)
        known = tokenizer.token_to_id(plain)
        ids = tokenizer.tokens(plain).ids if known is None else [known]
        if not ids or tokenizer.unk_id in ids:
            raise InputError(
                f"{name} 中的「{target}」含有词表之外的字符。",
                f"“{target}” in {name} has characters that the vocabulary does not have.",
            )
        pieces[target] = ids
    return pieces


def score_targets(
    blanks: Blanks, pieces: dict[str, list[int]]
) -> Generator[list[Query], list[FloatArray], list[dict[str, Target]]]:
    """For each mask, each target there, the other masks left as they are.

    A target of several pieces is the product, from left to right, of each piece's probability with
    itself and those after it masked: "within word, left to right" of Kauf and Ivanova 2023, "A
    Better Way to Do Masked Language Model Scoring". One piece: its probability at the mask.
    """
    tokenizer = blanks.context.tokenizer
    mask_id = tokenizer.mask_id or 0
    # What a query shows: a mask by number, the pieces before, and how many are still to come.
    asked: dict[tuple[int, tuple[int, ...], int], dict[int, tuple[float, bool]]] = {}
    for number in range(len(blanks.masks)):
        for ids in pieces.values():
            for i, token_id in enumerate(ids):
                asked.setdefault((number, tuple(ids[:i]), len(ids) - i), {})[token_id] = 0.0, False
    queries = (
        blanks.spread(number, [*before, *[mask_id] * left], len(before))
        for number, before, left in asked
    )
    sought = iter(asked.values())
    for some in turns(queries):
        for answer in (yield from ask_words(blanks.context, some)):
            row = answer.log_probabilities()[0]
            wanted = next(sought)
            (known,) = answer.remembered()
            for token_id in wanted:
                wanted[token_id] = float(row[token_id]), token_id in known
    return [
        {
            target: _together(
                [asked[number, tuple(ids[:i]), len(ids) - i][one] for i, one in enumerate(ids)]
            )
            for target, ids in pieces.items()
        }
        for number in range(len(blanks.masks))
    ]


def _together(pieces: Sequence[tuple[float, bool]]) -> Target:
    return Target(math.exp(sum(log_p for log_p, _ in pieces)), any(known for _, known in pieces))
