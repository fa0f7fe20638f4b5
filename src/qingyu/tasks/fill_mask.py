"""Fill-mask 语义填空: which tokens fit where the text has [MASK]."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from qingyu.errors import NoMaskError, TextTooLongError, TooManyMasksError
from qingyu.tasks import heads, windows
from qingyu.tasks.checks import checked_choice, checked_count, checked_text
from qingyu.tasks.context import Context
from qingyu.tasks.numbers import softmax
from qingyu.text.tokenizer import Tokenizer
from qingyu.types import Candidate, FillMaskResult, FloatArray, MaskFill, Steps, Truncate

NAME = "fill-mask"
MAX_MASKS = 64
# [MASK] in any case, with full-width brackets too. As long as <mask>: offsets stay true.
SPELLINGS = re.compile(r"[\[［]mask[\]］]|<mask>", re.IGNORECASE)


def fill_mask(
    context: Context,
    text: str,
    *,
    top_k: int = 5,
    truncate: Truncate = "around-mask",
) -> Steps[FillMaskResult]:
    """The `top_k` likeliest tokens at each mask, each mask by itself.

    A text longer than the model reads is windowed around its masks, or refused where `truncate`
    is "error". Raises InputError, NoMaskError, TooManyMasksError, TextTooLongError and
    TaskNotSupportedError.
    """
    head = context.head(NAME, heads.masked_lm)
    tokenizer = context.tokenizer
    checked_count(top_k, "top_k", 1, tokenizer.vocab_size - len(tokenizer.special_ids))
    checked_choice(truncate, "truncate", Truncate)
    mask_token = tokenizer.mask_token or ""
    text = checked_text(text)
    tokens = tokenizer.tokens(SPELLINGS.sub(mask_token, text))
    masks = [i for i, token_id in enumerate(tokens.ids) if token_id == tokenizer.mask_id]
    if not masks:
        raise NoMaskError
    if len(masks) > MAX_MASKS:
        raise TooManyMasksError(len(masks), MAX_MASKS)

    room = context.room
    if len(tokens.ids) > room and truncate == "error":
        raise TextTooLongError(len(tokens.ids), room)
    queries = []
    read = []
    for group in windows.groups(masks, room):
        start, end = windows.around(group[0], group[-1] + 1, len(tokens.ids), room)
        read.append((start, end))
        asked = [mask - start for mask in group]
        queries.append(context.query(tokens.ids[start:end], asked, head))
    logits = np.concatenate((yield queries))

    spans = [tokens.offsets[mask] for mask in masks]
    fills = tuple(
        MaskFill(*span, candidates(tokenizer, row, top_k, text, span))
        for span, row in zip(spans, logits, strict=True)
    )
    best = [fill.candidates[0].token for fill in fills]
    unread = windows.unread(text, tokens.offsets, read)
    return FillMaskResult(text, replaced(text, spans, best), fills, bool(unread), unread=unread)


def candidates(
    tokenizer: Tokenizer, logits: FloatArray, top_k: int, text: str, span: tuple[int, int]
) -> tuple[Candidate, ...]:
    """The likeliest tokens by softmax over the whole vocabulary, special tokens passed over."""
    scores = softmax(logits)
    wanted = min(top_k + len(tokenizer.special_ids), len(scores))
    likeliest = np.argpartition(-scores, wanted - 1)[:wanted]
    # Equal scores in the order of their ids, so that an answer is always the same.
    likeliest = likeliest[np.lexsort((likeliest, -scores[likeliest]))]
    kept = [int(i) for i in likeliest if not tokenizer.is_special(int(i))][:top_k]
    found = []
    for token_id in kept:
        token = tokenizer.surface(token_id)
        filled = replaced(text, [span], [token])
        found.append(Candidate(token, token_id, float(scores[token_id]), filled))
    return tuple(found)


def replaced(text: str, spans: Sequence[tuple[int, int]], words: Sequence[str]) -> str:
    """`text` with each span (in order, apart from each other) replaced by its word."""
    pieces = []
    last = 0
    for (start, end), word in zip(spans, words, strict=True):
        pieces += [text[last:start], word]
        last = end
    return "".join([*pieces, text[last:]])
