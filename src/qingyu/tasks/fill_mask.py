"""Fill-mask 语义填空: which words fit where the text has [MASK]."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from qingyu.errors import InputError, TooManyMasksError
from qingyu.numbers import FloatArray, IntArray
from qingyu.query import Steps
from qingyu.results import Alternative, Candidate, FillMaskResult, MaskFill, Span, Truncate
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.beam import MAX_TOGETHER, fill_together
from qingyu.tasks.parts.blanks import MASK, Blanks, find_blanks
from qingyu.tasks.parts.parameters import checked_choice, checked_count, checked_text
from qingyu.tasks.parts.targets import Target, pieces_of, score_targets
from qingyu.tasks.parts.words import ask_words
from qingyu.tasks.text2text import fill_by_writing
from qingyu.text.lexicon import Lexicon
from qingyu.text.scripts import scripts
from qingyu.text.tokenizer import Tokenizer

NAME = "fill-mask"
MAX_ALTERNATIVES = 64


def fill_mask(
    context: Context,
    text: str,
    *,
    top_k: int = 5,
    targets: str | Sequence[str] | None = None,
    alternatives: int = 0,
    lexicon: Lexicon | Mapping[str, Any] | Iterable[str] | None = None,
    mask: str | Sequence[str] = MASK,
    truncate: Truncate = "around-mask",
) -> Steps[FillMaskResult]:
    """The `top_k` likeliest words at each mask, each mask by itself.

    targets:      only these words, of any length: see `qingyu.tasks.targets`
    alternatives: so many fillings of all masks together, by their joint probability
    lexicon:      only words that it admits: a `Lexicon`, its fields, or a list of words; masks
                  side by side are filled together by one of its words, which take as many tokens
    mask:         other ways to write a mask, besides [MASK]: such as ___, （ ） or □
    truncate:     a text longer than the model reads is read around its masks, or refused: "error"

    Raises InputError, NoMaskError, TooManyMasksError, TextTooLongError and TaskNotSupportedError.
    """
    if not any(map(heads.masked_lm, context.heads.values())) and not (
        targets or lexicon or alternatives
    ):
        return (yield from fill_by_writing(context, text, top_k=top_k, truncate=truncate))
    head = context.head(NAME, heads.masked_lm)
    tokenizer = context.tokenizer
    checked_count(top_k, "top_k", 1, len(tokenizer.plain_ids))
    checked_count(alternatives, "alternatives", 0, MAX_ALTERNATIVES)
    checked_choice(truncate, "truncate", Truncate)
    if targets is not None and (lexicon is not None or alternatives):
        raise InputError(
            "targets 不能与 lexicon 或 alternatives 同时使用。",
            "targets cannot go with a lexicon or with alternatives.",
        )
    admitted = None if lexicon is None else Lexicon.of(lexicon)
    text = checked_text(text)
    plain = context.readable(text)
    converted = plain != text
    if converted and admitted is not None:
        admitted = admitted.spelt_as(scripts().to_simplified)
    blanks = find_blanks(context, head, plain, mask, truncate)

    if targets is not None:
        pieces = pieces_of(tokenizer, targets, spelt_as=context.readable)
        scores = yield from score_targets(blanks, pieces)
        candidates = [_of_targets(tokenizer, each, top_k) for each in scores]
    else:
        numbers = {
            window: [i for i, other in enumerate(blanks.windows) if other == window]
            for window in dict.fromkeys(blanks.windows)
        }
        answers = yield from ask_words(
            context, [blanks.query(asked, {}) for asked in numbers.values()]
        )
        rows = [row for words in answers for row in words.probabilities()]
        known = [known for words in answers for known in words.remembered()]
        candidates = [
            [(*word, word[1] in known) for word in likeliest(tokenizer, row, top_k, allowed)]
            for row, known, allowed in zip(rows, known, _allowed(blanks, admitted), strict=True)
        ]
    if converted and targets is None:
        candidates = [
            [(in_traditional(plain, [span], [one[0]])[0], *one[1:]) for one in words]
            for span, words in zip(blanks.spans, candidates, strict=True)
        ]
    fills = tuple(
        MaskFill(
            *span,
            tuple(
                Candidate(word, token_id, score, replaced(text, [span], [word]), remembered)
                for word, token_id, score, remembered in words
            ),
        )
        for span, words in zip(blanks.spans, candidates, strict=True)
    )

    together: tuple[Alternative, ...] = ()
    side_by_side = len(blanks.runs()) < len(blanks.masks)
    if alternatives or (admitted and side_by_side):
        if len(blanks.masks) > MAX_TOGETHER:
            raise TooManyMasksError(len(blanks.masks), MAX_TOGETHER)
        fillings = yield from fill_together(blanks, max(alternatives, 1), admitted)
        words = [tuple(tokenizer.surfaces[i] for i in filling.ids) for filling in fillings]
        if converted:
            words = [in_traditional(plain, blanks.spans, tokens) for tokens in words]
        together = tuple(
            Alternative(tokens, math.exp(filling.log_prob), replaced(text, blanks.spans, tokens))
            for tokens, filling in zip(words, fillings, strict=True)
        )
    if together:
        sequence = together[0].sequence
    elif admitted and side_by_side:  # no word of the lexicon was found, and no other will do
        sequence = text
    else:
        filled = [
            (fill.candidates[0].token, span)
            for fill, span in zip(fills, blanks.spans, strict=True)
            if fill.candidates
        ]
        sequence = replaced(text, [span for _, span in filled], [word for word, _ in filled])
    told = bool(blanks.unread), together, blanks.unread
    return FillMaskResult(text, sequence, fills, *told, converted)


def likeliest(
    tokenizer: Tokenizer, scores: FloatArray, top_k: int, allowed: IntArray | None
) -> list[tuple[str, int | None, float]]:
    """Word, id and probability of the likeliest tokens, of `allowed` or of all but special ones.

    `scores` are probabilities [vocabulary], of the whole of it whatever is allowed.
    """
    if allowed is None:
        wanted = min(top_k + len(tokenizer.special_ids), len(scores))
        best = np.flatnonzero(scores >= np.partition(scores, -wanted)[-wanted])
    else:
        best = allowed
    # Equal scores in the order of their ids, so that an answer is always the same.
    best = best[np.lexsort((best, -scores[best]))]
    kept = [i for i in best.tolist() if not tokenizer.is_special(i)][:top_k]
    return [(tokenizer.surface(i), i, float(scores[i])) for i in kept]


def replaced(text: str, spans: Sequence[Span], words: Sequence[str]) -> str:
    """`text` with each span (in order, apart from each other) replaced by its word."""
    pieces = []
    last = 0
    for (start, end), word in zip(spans, words, strict=True):
        pieces += [text[last:start], word]
        last = end
    return "".join([*pieces, text[last:]])


def in_traditional(text: str, spans: Sequence[Span], words: Sequence[str]) -> tuple[str, ...]:
    """Simplified words that fill spans of a simplified text, each in the traditional form that it
    has between its neighbours once all are filled in."""
    filled = replaced(text, spans, words)
    forms, shift = [], 0
    for (start, end), word in zip(spans, words, strict=True):
        at = start + shift
        after = at + len(word)
        forms.append(scripts().to_traditional(word, filled[:at], filled[after:]))
        shift += len(word) - (end - start)
    return tuple(forms)


def _of_targets(
    tokenizer: Tokenizer, scores: Mapping[str, Target], top_k: int
) -> list[tuple[str, int | None, float, bool]]:
    """Word, id (of a word that is one token), probability of the best targets, and whether a memory
    raised them."""
    best = sorted(scores.items(), key=lambda item: (-item[1].score, item[0]))[:top_k]
    return [
        (word, tokenizer.token_to_id(word), target.score, target.remembered)
        for word, target in best
    ]


def _allowed(blanks: Blanks, lexicon: Lexicon | None) -> list[IntArray | None]:
    """For each mask, the tokens that a lexicon lets stand there."""
    if lexicon is None:
        return [None] * len(blanks.masks)
    tokenizer = blanks.context.tokenizer
    allowed: list[IntArray | None] = []
    for run in blanks.runs():
        if lexicon.words:
            words = lexicon.spelt(tokenizer, len(run))
            allowed += [np.unique(words[:, place]) for place in range(len(run))]
        else:
            admits = lexicon.admits if len(run) == 1 else lexicon.admits_part
            ids = [i for i in tokenizer.plain_ids.tolist() if admits(tokenizer.surfaces[i])]
            allowed += [np.array(ids, np.int64)] * len(run)
    return allowed
