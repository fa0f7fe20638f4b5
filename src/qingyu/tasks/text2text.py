"""Text to text 文本生成: what an encoder-decoder writes for a text.

Such a model also fills masks: T5 was trained to write, for a text with <extra_id_0>, <extra_id_1>
and so on in it, each of these followed by what it stands for (Raffel et al. 2019,
arXiv:1910.10683).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from qingyu.errors import InputError, NoMaskError
from qingyu.numbers import FloatArray, softmax
from qingyu.query import Generation, Query, Steps
from qingyu.results import Candidate, FillMaskResult, MaskFill, Span, Text2TextResult, Truncate
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.blanks import ALWAYS
from qingyu.tasks.parts.parameters import checked_choice, checked_count, checked_text, wrong
from qingyu.text.reading import read
from qingyu.text.tokenizer import Tokenizer

NAME = "text2text-generation"
MAX_NEW_TOKENS, MAX_BEAMS = 512, 16
SENTINELS = ("<extra_id_{}>", "▁<extra_id_{}>")  # T5's spelling, and mT5's, a word's beginning
MAX_SENTINELS = 100


def text2text(
    context: Context,
    text: str,
    *,
    max_new_tokens: int = 64,
    num_beams: int = 1,
    length_penalty: float = 1.0,
    truncate: Literal["end", "error"] = "end",
) -> Steps[Text2TextResult]:
    """What the model writes for a text: greedily, or the best that `num_beams` beams find.

    A longer text than the model reads is read from its beginning ("end") or refused ("error").
    Raises InputError, TextTooLongError and TaskNotSupportedError.
    """
    head = context.head(NAME, heads.writes)
    checked_count(max_new_tokens, "max_new_tokens", 1, MAX_NEW_TOKENS)
    checked_count(num_beams, "num_beams", 1, MAX_BEAMS)
    if isinstance(length_penalty, bool) or not isinstance(length_penalty, int | float):
        raise wrong("length_penalty", "数", "a number", repr(length_penalty))
    if truncate not in ("end", "error"):
        raise wrong("truncate", "end 或 error", "end or error", repr(truncate))
    reading = read(context.tokenizer, checked_text(text), context.room, truncate)
    wanted = Generation(max_new_tokens, num_beams, 1, float(length_penalty))
    (rows,) = yield [_query(context, head, reading.parts()[0], wanted)]
    written = context.tokenizer.decode(_tokens(rows[0]))
    return Text2TextResult(text, written, bool(reading.unread), reading.unread)


def fill_by_writing(
    context: Context, text: str, *, top_k: int = 5, truncate: Truncate = "around-mask"
) -> Steps[FillMaskResult]:
    """The fillings of a text's masks that beam search finds likeliest, masks filled together.

    A candidate is of any length, and its score is its share of the hypotheses' probability. A
    text that is longer than the model reads is refused. Raises InputError, NoMaskError,
    TextTooLongError and TaskNotSupportedError.
    """
    head = context.head("fill-mask", heads.writes)
    checked_count(top_k, "top_k", 1, MAX_BEAMS)
    checked_choice(truncate, "truncate", Truncate)
    text = checked_text(text)
    spans: list[Span] = [match.span() for match in re.finditer(ALWAYS, text, re.IGNORECASE)]
    if not spans:
        raise NoMaskError
    spelling = next(
        (name for name in SENTINELS if context.tokenizer.token_to_id(name.format(0)) is not None),
        None,
    )
    if len(spans) > MAX_SENTINELS or spelling is None:
        raise InputError(
            f"这个模型最多填 {MAX_SENTINELS} 个空，且词表中须有 <extra_id_0>。",
            f"At most {MAX_SENTINELS} masks, by a model whose words hold <extra_id_0>.",
        )
    marks = [spelling.format(number).replace("▁", " ") for number in range(len(spans))]
    marked = replaced(text, spans, marks)
    reading = read(context.tokenizer, marked, context.room, "error")
    beams = min(MAX_BEAMS, max(4, top_k))
    wanted = Generation(8 + 8 * len(spans), beams, beams)
    (rows,) = yield [_query(context, head, reading.parts()[0], wanted)]
    written = [fillings(context.tokenizer, _tokens(row), len(spans)) for row in rows]
    # Probabilities of whole hypotheses, made to add up to 1.
    lengths = (rows[:, 1:] >= 0).sum(axis=1)
    shares = softmax(rows[:, 0] * lengths)
    fills = tuple(
        _mask_fill(text, span, [words[number] for words in written], shares, top_k)
        for number, span in enumerate(spans)
    )
    best = [fill.candidates[0].token if fill.candidates else "" for fill in fills]
    return FillMaskResult(text, replaced(text, spans, best), fills, False)


def fillings(tokenizer: Tokenizer, tokens: Sequence[int], count: int) -> list[str]:
    """What stands after each of the first `count` sentinels; "" where one was not written."""
    sentinels = {
        tokenizer.token_to_id(name.format(number)): number
        for name in SENTINELS
        for number in range(MAX_SENTINELS)
    }
    parts: dict[int, list[int]] = {}
    place = -1
    for token in tokens:
        if token in sentinels:
            place = sentinels[token]
        else:
            parts.setdefault(place, []).append(token)
    return [tokenizer.decode(parts.get(number, [])) for number in range(count)]


def replaced(text: str, spans: Sequence[Span], words: Sequence[str]) -> str:
    """`text` with each span (in order, apart from each other) replaced by its word."""
    pieces, last = [], 0
    for (start, end), word in zip(spans, words, strict=True):
        pieces += [text[last:start], word]
        last = end
    return "".join([*pieces, text[last:]])


def _mask_fill(
    text: str, span: Span, words: Sequence[str], shares: FloatArray, top_k: int
) -> MaskFill:
    """Candidates of one mask: equal words count once, with all their probability."""
    scores: dict[str, float] = {}
    for word, share in zip(words, shares, strict=True):
        if word:
            scores[word] = scores.get(word, 0.0) + float(share)
    ranked = sorted(scores, key=lambda word: -scores[word])[:top_k]
    return MaskFill(
        *span,
        tuple(
            Candidate(word, None, scores[word], replaced(text, [span], [word])) for word in ranked
        ),
    )


def _query(context: Context, head: str, ids: Sequence[int], wanted: Generation) -> Query:
    input_ids, types = context.tokenizer.framed(ids)
    return Query(input_ids, types, np.arange(len(input_ids)), head, wanted)


def _tokens(row: FloatArray) -> list[int]:
    """Token ids of one hypothesis, without its score and what fills it up."""
    return [int(token) for token in row[1:] if token >= 0]
