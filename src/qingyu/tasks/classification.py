"""Text classification 文本分类: which of a head's labels fit a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np

from qingyu.bundle import HeadInfo, Problem
from qingyu.errors import InputError
from qingyu.numbers import FloatArray, sigmoid, softmax
from qingyu.query import Steps
from qingyu.results import UNCERTAIN, ClassificationResult, LongText
from qingyu.tasks import taught
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.parameters import (
    checked_choice,
    checked_count,
    checked_flag,
    checked_text,
)
from qingyu.text.reading import Reading, read, read_pair

NAME = "text-classification"
HALF = 0.5  # what a probability has to reach where nobody measured better
Function: TypeAlias = Literal["softmax", "sigmoid", "none"]
FUNCTIONS: dict[Function, Callable[[FloatArray], FloatArray]] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "none": lambda logits: logits,
}
BY_PROBLEM: dict[Problem, Function] = {
    "single_label": "softmax",
    "multi_label": "sigmoid",
    "regression": "none",
}


def classification(
    context: Context,
    text: str,
    text_pair: str | None = None,
    *,
    head: str | None = None,
    top_k: int | None = None,
    function_to_apply: Function | None = None,
    truncate: LongText = "windows",
    uncertain: bool = False,
) -> Steps[ClassificationResult]:
    """The `top_k` best labels (all, without it) of a text or of a pair of texts.

    Probabilities that add up to 1 where one label is right ("softmax"), one by one where several
    may be ("sigmoid"), and the value itself for a regression ("none"); `function_to_apply` asks
    for one of these by name. A long text is read in overlapping windows whose logits
    are averaged ("windows"), read from its beginning ("end"), or refused ("error"); of a pair,
    the longer is cut at its end unless refused. With `uncertain`, the label is UNCERTAIN where the
    best has a probability below the bar of a head that was taught, or else below a half. `head`
    may be one that was taught; without it, the first classifier of single texts, or for a pair the
    first of pairs. Raises InputError, TextTooLongError and TaskNotSupportedError.
    """
    checked_flag(uncertain, "uncertain")
    if head in context.taught:
        checked_choice(truncate, "truncate", LongText)
        return (yield from _by_taught(context, text, text_pair, head, top_k, truncate, uncertain))
    name = _head(context, head, pair=text_pair is not None)
    info = context.heads[name]
    checked_choice(truncate, "truncate", LongText)
    if function_to_apply is not None:
        checked_choice(function_to_apply, "function_to_apply", Function)
    text = checked_text(text)
    count = len(info.labels)
    top_k = count if top_k is None else checked_count(top_k, "top_k", 1, max(count, 1 << 16))
    tokenizer = context.tokenizer
    second: Reading | None = None
    if text_pair is None:
        first = read(tokenizer, context.readable(text), context.room, truncate)
        queries = [context.whole(part, name) for part in first.parts()]
    else:
        text_pair = checked_text(text_pair, "text_pair")
        both = context.readable(text), context.readable(text_pair)
        first, second = read_pair(tokenizer, *both, context.pair_room, truncate)
        queries = [context.whole(first.parts()[0], name, second.parts()[0])]
    logits = first.mean(np.concatenate((yield queries)))

    scores = probabilities(info, logits, function_to_apply)
    return _result(
        context, text, text_pair, info.labels, scores, top_k, first, second,
        HALF if uncertain else 0.0,
    )  # fmt: skip


def _by_taught(
    context: Context,
    text: str,
    text_pair: str | None,
    name: str,
    top_k: int | None,
    truncate: LongText,
    uncertain: bool,
) -> Steps[ClassificationResult]:
    """By a head that a user taught: of single texts."""
    if text_pair is not None:
        raise InputError(
            f"头 {name} 只看单句，不看句对。", f"The head {name} reads single texts, not pairs."
        )
    head, text = context.taught[name], checked_text(text)
    count = len(head.labels)
    top_k = count if top_k is None else checked_count(top_k, "top_k", 1, max(count, 1 << 16))
    reading, logits = yield from taught.logits(context, head, context.readable(text), truncate)
    bar = (HALF if head.bar is None else head.bar) if uncertain else 0.0
    return _result(context, text, None, head.labels, softmax(logits), top_k, reading, None, bar)


def _result(
    context: Context,
    text: str,
    text_pair: str | None,
    names: Sequence[str],
    scores: FloatArray,
    top_k: int,
    first: Reading,
    second: Reading | None,
    bar: float,
) -> ClassificationResult:
    order = np.argsort(-scores, kind="stable")[:top_k]
    labels = tuple(names[i] for i in order)
    ranked = tuple(float(scores[i]) for i in order)
    unread_pair = second.unread if second else ()
    return ClassificationResult(
        text,
        text_pair,
        labels[0] if ranked[0] >= bar else UNCERTAIN,
        ranked[0],
        labels,
        ranked,
        bool(first.unread or unread_pair),
        first.unread,
        unread_pair,
        converted=any(context.readable(one) != one for one in (text, text_pair or "")),
    )


def probabilities(
    head: HeadInfo, logits: FloatArray, function: Function | None = None
) -> FloatArray:
    """What the logits of a sequence classifier say, by the kind of its problem."""
    return FUNCTIONS[function or BY_PROBLEM[head.problem]](logits)


def _head(context: Context, name: str | None, *, pair: bool) -> str:
    fits = (lambda head: heads.classifier(head) and not heads.plain(head)) if pair else heads.plain
    if name is None and any(fits(head) for head in context.heads.values()):
        return context.head(NAME, fits)
    return context.head(NAME, heads.classifier, name)
