"""Predicates of heads: which tasks a head serves, by its kind and labels."""

from __future__ import annotations

from qingyu.bundle import HeadInfo

# Beginnings of labels, lower case.
ENTAILMENT = ("entail", "蕴含", "蕴涵")
CONTRADICTION = ("contradict", "矛盾")
SAME = ("similar", "duplicate", "paraphrase", "equivalent", "相似", "相同", "重复")


def masked_lm(head: HeadInfo) -> bool:
    return head.kind == "masked-lm"


def writes(head: HeadInfo) -> bool:
    """A decoder, which writes text."""
    return head.kind == "text2text"


def fills(head: HeadInfo) -> bool:
    """Something that fills masks, whether by scoring words or by writing them."""
    return masked_lm(head) or writes(head)


def tagger(head: HeadInfo) -> bool:
    return head.kind == "token-classification"


def names(head: HeadInfo) -> bool:
    """A tagger that finds names of people."""
    return tagger(head) and any(label.upper().endswith("PER") for label in head.labels)


def embeds(head: HeadInfo) -> bool:
    return head.kind == "embedding"


def classifier(head: HeadInfo) -> bool:
    return head.kind == "sequence-classification"


def infers(head: HeadInfo) -> bool:
    """Natural language inference: one of its labels says entailment."""
    return classifier(head) and labelled(head, ENTAILMENT) is not None


def unnamed(head: HeadInfo) -> bool:
    """A classifier whose labels are only numbered, LABEL_0 and so on."""
    return classifier(head) and all(label.upper().startswith("LABEL_") for label in head.labels)


def compares(head: HeadInfo) -> bool:
    """Two texts: one of its labels says that they mean the same."""
    return classifier(head) and labelled(head, SAME) is not None


def detects(head: HeadInfo) -> bool:
    """One logit a token: whether something is wrong there."""
    return head.kind == "detection"


def corrects(head: HeadInfo) -> bool:
    """Words that were meant, read from the text as it stands."""
    return head.kind == "correction"


def plain(head: HeadInfo) -> bool:
    """A classifier of single texts, as far as its labels tell."""
    return classifier(head) and not infers(head) and not compares(head)


def labelled(head: HeadInfo, beginnings: tuple[str, ...]) -> int | None:
    """Index of the first label with one of these beginnings."""
    labels = [label.lower() for label in head.labels]
    return next((i for i, label in enumerate(labels) if label.startswith(beginnings)), None)
