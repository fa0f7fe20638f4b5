"""Where names begin and end: on whole words, never on a symbol; and names that a user knows."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from qingyu.results import Entity

from .parameters import checked_strings, wrong

KEPT = "《》“”‘’（）()「」·"  # punctuation that a name may begin or end with
MIDDLE = "·•・"  # between the parts of a foreign name
CERTAIN = 1.0  # score of a name that the user gave


def edged(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """Entities in the order of the text, each without symbols at its ends, with the whole of a
    Latin word or number that it cuts, and with the other parts of a name that a point joins; one
    that is nothing but symbols is left out.
    """
    kept: list[Entity] = []
    for one in entities:
        start, end = _trimmed(text, one.start, one.end)
        if start == end:
            continue
        while start > 0 and _one_word(text[start - 1], text[start]):
            start -= 1
        while end < len(text) and _one_word(text[end - 1], text[end]):
            end += 1
        last = kept[-1] if kept else None
        if last is not None and last.label == one.label and _joined(text, last.end, start):
            kept[-1] = _entity(text, last.label, last.start, end, (last.score + one.score) / 2)
        elif last is None or start >= last.end:
            kept.append(_entity(text, one.label, start, end, one.score))
    return kept


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and _symbol(text[start]):
        start += 1
    while start < end and _symbol(text[end - 1]):
        end -= 1
    return start, end


def _symbol(char: str) -> bool:
    """Whether a name cannot begin or end with it: emoji and other symbols, marks, spaces."""
    return unicodedata.category(char)[0] not in "LN" and char not in KEPT


def _one_word(left: str, right: str) -> bool:
    """Whether two neighbours belong to one word of Latin, Greek or Cyrillic letters, or to one
    number, full-width or not."""
    return _spelt(left) and _spelt(right)


def _spelt(char: str) -> bool:
    return char.isalnum() and (char < "\u0500" or "\uff10" <= char <= "\uff5a")


def _joined(text: str, end: int, start: int) -> bool:
    return end > start or (start - end == 1 and text[end] in MIDDLE)


def _entity(text: str, label: str, start: int, end: int, score: float) -> Entity:
    return Entity(label, text[start:end], start, end, score)


def checked_gazetteer(value: object) -> dict[str, str]:
    """Names and their labels, from a mapping or from pairs. Raises InputError."""
    if value is None:
        return {}
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(pairs, Sequence) or not all(
        isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs
    ):
        raise wrong("gazetteer", "名称到标签的映射", "names with labels", repr(value)[:60])
    if not pairs:
        return {}
    names = checked_strings([name for name, _ in pairs], "gazetteer")
    labels = checked_strings([label for _, label in pairs], "gazetteer")
    return dict(zip(names, labels, strict=True))


def with_known(text: str, entities: Sequence[Entity], gazetteer: Mapping[str, str]) -> list[Entity]:
    """Entities, with every place where a name of the gazetteer stands, the longest first, in the
    place of those that it overlaps.
    """
    by_first: dict[str, list[str]] = {}
    for name in sorted(gazetteer, key=lambda name: (-len(name), name)):
        by_first.setdefault(name[0], []).append(name)
    known: list[Entity] = []
    at = 0
    while at < len(text):
        here = next((name for name in by_first.get(text[at], ()) if _stands(text, at, name)), "")
        if here:
            known.append(_entity(text, gazetteer[here], at, at + len(here), CERTAIN))
        at += len(here) or 1
    others = [
        one
        for one in entities
        if not any(one.start < other.end and other.start < one.end for other in known)
    ]
    return sorted([*known, *others], key=lambda one: one.start)


def _stands(text: str, at: int, name: str) -> bool:
    """Whether a name stands there, not inside a longer Latin word."""
    end = at + len(name)
    return (
        text.startswith(name, at)
        and not (at > 0 and _one_word(text[at - 1], name[0]))
        and not (end < len(text) and _one_word(name[-1], text[end]))
    )
