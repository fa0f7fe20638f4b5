"""Zero-shot classification 零样本分类: labels of one's own, without training.

By entailment each label becomes a hypothesis, and its score is how far the text entails it (Yin,
Hay and Roth 2019, "Benchmarking Zero-shot Text Classification"): a pass for each label. As a cloze
all labels are scored in one pass: see `qingyu.tasks.cloze`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from qingyu.bundle import HeadInfo
from qingyu.errors import InputError, TaskNotSupportedError, TextTooLongError
from qingyu.numbers import FloatArray, softmax
from qingyu.query import Query, Steps
from qingyu.results import UNCERTAIN, LongText, Method, ZeroShotResult
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.cloze import cloze
from qingyu.tasks.parts.parameters import (
    checked_choice,
    checked_flag,
    checked_strings,
    checked_text,
    wrong,
)
from qingyu.tasks.parts.turns import turns
from qingyu.text.reading import Reading, read

NAME = "zero-shot-classification"
TEMPLATE = "这段话说的是{}。"
SEPARATORS = "[,，、;；/\n]"  # of labels in one string
SURE = 0.5  # of a label that is judged by itself, for an answer that may be uncertain
# Of labels that are compared: how many times its chance a label's odds have to be. From there on
# three of four answers were right (support messages and reviews, a half of each).
EVIDENCE: dict[Method, float] = {"entailment": 3.3, "cloze": 600.0, "both": 4.9}
INFERRED, GUESSED = 1.0, 0.2  # powers by which entailment and cloze are joined, the likeliest there

Labels: TypeAlias = str | Sequence[str] | Sequence[tuple[str, str]] | Mapping[str, str]
"""Names of labels: a list, a string with commas or other separators, or with a description each, as
a mapping or as pairs (tuples); the description then stands in the hypothesis in place of the name.
Lists of labels in a list are sets of labels, one for each of several texts: see `label_sets`."""


def zero_shot(
    context: Context,
    text: str,
    candidate_labels: Labels,
    *,
    hypothesis_template: str | Sequence[str] = TEMPLATE,
    multi_label: bool = False,
    method: Method = "entailment",
    truncate: LongText = "windows",
    head: str | None = None,
    uncertain: bool = False,
) -> Steps[ZeroShotResult]:
    """Every label with its score, best first.

    `hypothesis_template` has {} where the label goes; of several, the scores are averaged. Scores
    are a softmax of the labels' entailment logits, or with `multi_label`, and for a single label,
    of entailment against contradiction, each label by itself. `method="cloze"` asks a masked
    language model once for all labels instead: quicker, coarser, and only to tell two labels or
    more from each other. `method="both"` asks both and joins what they say. With `uncertain`, the
    label is UNCERTAIN where the best is not `sure`. A long text is read in
    overlapping windows whose logits are averaged ("windows"), read from its beginning ("end"), or
    refused ("error"). Text, labels and templates may be traditional: see `Context.readable`. Raises
    InputError, TextTooLongError and TaskNotSupportedError.
    """
    checked_choice(method, "method", Method)
    checked_flag(uncertain, "uncertain")
    by_entailment = method != "cloze"
    if by_entailment and not any(map(heads.infers, context.heads.values())):
        _refuse_unnamed(context)
    name = context.head(NAME, heads.infers if by_entailment else heads.masked_lm, head)
    checked_choice(truncate, "truncate", LongText)
    checked_flag(multi_label, "multi_label")
    text = checked_text(text)
    # In one order however they came, so that sums over labels are the same to the last bit.
    described = dict(sorted(described_labels(candidate_labels).items()))
    described = {label: context.readable(words) for label, words in described.items()}
    templates = [context.readable(one) for one in checked_templates(hypothesis_template)]
    plain = context.readable(text)
    if method != "entailment" and (multi_label or len(described) == 1):
        raise InputError(
            f'method="{method}" 比较各标签，至少要两个，且不能与 multi_label 同时使用。',
            f'method="{method}" compares labels: it takes two or more, and no multi_label.',
        )
    if by_entailment:
        multi_label = multi_label or len(described) == 1
        reading, logits = yield from inference(
            context, name, plain, list(described.values()), templates, truncate
        )
        scores = entailed(context.heads[name], logits, multi_label)
    if method != "entailment":
        words = context.head(NAME, heads.masked_lm)
        reading, guessed = yield from cloze(context, words, plain, described, templates, truncate)
        scores = joined(scores, guessed) if by_entailment else guessed

    names, means = list(described), scores.mean(axis=0)
    order = sorted(range(len(names)), key=lambda i: (-means[i], names[i]))
    return ZeroShotResult(
        text,
        tuple(names[i] for i in order),
        tuple(float(means[i]) for i in order),
        multi_label,
        bool(reading.unread),
        reading.unread,
        names[order[0]] if not uncertain or sure(means, method, multi_label) else UNCERTAIN,
        converted=plain != text,
    )


def sure(scores: FloatArray, method: Method, multi_label: bool) -> bool:
    """Whether the best of the labels' scores [labels] is enough for an answer."""
    best = float(scores.max())
    if multi_label:
        return best >= SURE
    return best * (len(scores) - 1) >= EVIDENCE[method] * (1 - best)


def joined(inferred: FloatArray, guessed: FloatArray) -> FloatArray:
    """Probabilities [templates, labels] of entailment and of a cloze as one: a product of powers
    (Hinton 2002)."""
    logs = INFERRED * np.log(inferred + 1e-9) + GUESSED * np.log(guessed + 1e-9)
    return softmax(np.asarray(logs, np.float32))


def _refuse_unnamed(context: Context) -> None:
    """Raises TaskNotSupportedError where a head may infer, but its labels are only numbers."""
    head = next((head for head in context.heads.values() if heads.unnamed(head)), None)
    if head is not None:
        listed = ", ".join(head.labels)
        raise TaskNotSupportedError(
            f"模型 {context.name} 的标签只有编号（{listed}），不知道哪个是“蕴含”。"
            "请按训练时的次序重新构建：qingyu build … --labels entailment,neutral,contradiction",
            f"The labels of {context.name} are only numbered ({listed}): which one is entailment "
            "cannot be told. Build it again with the names in the order of its training: "
            "qingyu build … --labels entailment,neutral,contradiction",
        )


def inference(
    context: Context,
    head: str,
    text: str,
    words: Sequence[str],
    templates: Sequence[str],
    truncate: str,
) -> Generator[list[Query], list[FloatArray], tuple[Reading, FloatArray]]:
    """What was read of a text, and the logits [templates, words, outputs of the head] of every
    template with every word in it. Raises TextTooLongError."""
    tokenizer = context.tokenizer
    hypotheses = [
        tokenizer.tokens(template.replace("{}", word)).ids
        for template in templates
        for word in words
    ]
    longest = max(map(len, hypotheses))
    if 2 * longest > context.pair_room:
        raise TextTooLongError(longest, context.pair_room // 2)
    reading = read(tokenizer, text, context.pair_room - longest, truncate)
    queries = (context.whole(part, head, ids) for part in reading.parts() for ids in hypotheses)
    rows: list[FloatArray] = []
    for some in turns(queries):
        rows += yield some
    shape = (len(reading.spans), len(templates), len(words), -1)
    return reading, reading.mean(np.concatenate(rows).reshape(shape))


def entailed(head: HeadInfo, logits: FloatArray, multi_label: bool) -> FloatArray:
    """Scores [..., labels] from logits [..., labels, outputs of the head]."""
    yes = heads.labelled(head, heads.ENTAILMENT) or 0
    if not multi_label:
        return softmax(logits[..., yes])
    no = heads.labelled(head, heads.CONTRADICTION)
    if no is None:  # such as entailment and not_entailment: against all the others
        return softmax(logits)[..., yes]
    return softmax(logits[..., [no, yes]])[..., 1]


def described_labels(labels: object) -> dict[str, str]:
    """Names of labels and the words that describe them. Raises InputError where there is none, one
    is blank, or one comes twice."""
    if isinstance(labels, str):
        labels = [name for part in re.split(SEPARATORS, labels) if (name := part.strip())]
    if isinstance(labels, Mapping):
        labels = list(labels.items())
    if _are_sets(labels):
        raise InputError(
            "candidate_labels 是几组标签，每组对应一段文本；这里只有一段文本。带描述的标签请用映射 "
            "{名称: 描述}。",
            "candidate_labels has sets of labels, one for each text, but there is one text. For "
            "labels with descriptions give a mapping of names to them.",
        )
    if isinstance(labels, Sequence) and labels and all(_is_pair(label) for label in labels):
        names = checked_strings([name for name, _ in labels], "candidate_labels")
        words = checked_strings([words for _, words in labels], "candidate_labels")
    else:
        names = words = checked_strings(labels, "candidate_labels")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(
            f"candidate_labels 中「{twice[0]}」重复出现。",
            f"candidate_labels has “{twice[0]}” twice.",
        )
    return dict(zip(names, words, strict=True))


def checked_templates(templates: object) -> list[str]:
    """One or more templates, each with {}; raises InputError."""
    checked = checked_strings(
        [templates] if isinstance(templates, str) else templates, "hypothesis_template"
    )
    for template in checked:
        if "{}" not in template:
            raise wrong(
                "hypothesis_template", "含 {} 的模板", "a template with {} in it", repr(template)
            )
    return checked


def label_sets(labels: Any, texts: int) -> list[Any]:
    """A set of labels for each text: one set is shared, sets in a list are one each.

    Lists of two strings are sets of two labels; pairs of name and description are tuples, or come
    in a mapping. Raises InputError where there are more or fewer sets than texts.
    """
    if not _are_sets(labels):
        return [labels] * texts
    if len(labels) != texts:
        raise InputError(
            f"有 {texts} 段文本，却有 {len(labels)} 组标签；应各有一组，或共用一组。",
            f"There are {texts} texts and {len(labels)} sets of labels; give one each, or one.",
        )
    return list(labels)


def _are_sets(labels: object) -> bool:
    return (
        isinstance(labels, Sequence)
        and not isinstance(labels, str)
        and bool(labels)
        and all(isinstance(one, (list, Mapping)) for one in labels)
    )


def _is_pair(label: object) -> bool:
    return isinstance(label, tuple) and len(label) == 2
