"""Text classification 文本分类: which of a head's labels a text, or a pair of texts, deserves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from qingyu.bundle import HeadInfo, Problem
from qingyu.numbers import FloatArray, sigmoid, softmax
from qingyu.query import Steps
from qingyu.results import ClassificationResult, LongText
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.parameters import checked_choice, checked_count, checked_text
from qingyu.text.reading import Reading, read, read_pair

NAME = "text-classification"
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
) -> Steps[ClassificationResult]:
    """The `top_k` best labels (all, without it) of a text or of a pair of texts.

    Probabilities that add up to 1 where one label is right ("softmax"), one by one where several
    may be ("sigmoid"), and the value itself for a regression ("none"); `function_to_apply` asks
    for one of these by name. A long text is read in overlapping windows whose logits
    are averaged ("windows"), read from its beginning ("end"), or refused ("error"); of a pair,
    the longer is cut at its end unless refused. Without `head`, the first classifier of single
    texts, or for a pair the first of pairs. Raises InputError, TextTooLongError and
    TaskNotSupportedError.
    """
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
        first = read(tokenizer, text, context.room, truncate)
        queries = [context.whole(part, name) for part in first.parts()]
    else:
        text_pair = checked_text(text_pair, "text_pair")
        first, second = read_pair(tokenizer, text, text_pair, context.pair_room, truncate)
        queries = [context.whole(first.parts()[0], name, second.parts()[0])]
    logits = first.mean(np.concatenate((yield queries)))

    scores = probabilities(info, logits, function_to_apply)
    order = np.argsort(-scores, kind="stable")[:top_k]
    labels = tuple(info.labels[i] for i in order)
    found = tuple(float(scores[i]) for i in order)
    unread_pair = second.unread if second else ()
    return ClassificationResult(
        text,
        text_pair,
        labels[0],
        found[0],
        labels,
        found,
        bool(first.unread or unread_pair),
        first.unread,
        unread_pair,
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
