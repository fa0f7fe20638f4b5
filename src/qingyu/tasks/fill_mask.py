"""Fill-mask 语义填空: which tokens fit where the text has [MASK]."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

import numpy as np

from qingyu.errors import InputError, NoMaskError, TextTooLongError, TooManyMasksError
from qingyu.tasks.context import Context, checked_text
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
    head = context.head("masked-lm", NAME)
    tokenizer = context.tokenizer
    _check(top_k, truncate, tokenizer)
    mask_token = tokenizer.mask_token or ""
    text = checked_text(text)
    tokens = tokenizer.tokens(SPELLINGS.sub(mask_token, text))
    masks = [i for i, token_id in enumerate(tokens.ids) if token_id == tokenizer.mask_id]
    if not masks:
        raise NoMaskError
    if len(masks) > MAX_MASKS:
        raise TooManyMasksError(len(masks), MAX_MASKS)

    room = context.max_tokens - tokenizer.frame.size
    if len(tokens.ids) > room and truncate == "error":
        raise TextTooLongError(len(tokens.ids), room)
    queries = []
    for group in groups(masks, room):
        start, end = window(group[0], group[-1] + 1, len(tokens.ids), room)
        asked = [mask - start for mask in group]
        queries.append(context.query(tokens.ids[start:end], asked, head))
    logits = np.concatenate((yield queries))

    spans = [tokens.offsets[mask] for mask in masks]
    fills = tuple(
        MaskFill(*span, candidates(tokenizer, row, top_k, text, span))
        for span, row in zip(spans, logits, strict=True)
    )
    best = [fill.candidates[0].token for fill in fills]
    return FillMaskResult(text, replaced(text, spans, best), fills, len(tokens.ids) > room)


def groups(masks: Sequence[int], room: int) -> list[list[int]]:
    """Masks that can be seen together: each group spans at most `room` tokens."""
    found: list[list[int]] = []
    for mask in masks:
        if found and mask - found[-1][0] < room:
            found[-1].append(mask)
        else:
            found.append([mask])
    return found


def window(first: int, last: int, length: int, room: int) -> tuple[int, int]:
    """[start, end) of at most `room` of `length` tokens, with [first, last) in its middle."""
    if length <= room:
        return 0, length
    start = (first + last - room) // 2
    start = max(0, min(start, length - room))
    return start, start + room


def candidates(
    tokenizer: Tokenizer, logits: FloatArray, top_k: int, text: str, span: tuple[int, int]
) -> tuple[Candidate, ...]:
    """The likeliest tokens by softmax over the whole vocabulary, special tokens passed over."""
    shifted = np.exp(logits - logits.max())
    scores = shifted / shifted.sum()
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


def _check(top_k: int, truncate: str, tokenizer: Tokenizer) -> None:
    largest = tokenizer.vocab_size - len(tokenizer.special_ids)
    if isinstance(top_k, bool) or not isinstance(top_k, int) or not 1 <= top_k <= largest:
        raise InputError(
            f"top_k 应是 1 到 {largest} 的整数，收到 {top_k!r}。",
            f"top_k should be a whole number from 1 to {largest}, not {top_k!r}.",
        )
    if truncate not in get_args(Truncate):
        names = ", ".join(get_args(Truncate))
        raise InputError(
            f"truncate 应是 {names} 之一，收到 {truncate!r}。",
            f"truncate should be one of {names}, not {truncate!r}.",
        )
