"""What of a text an exercise may blank."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qingyu.results import BlankKind

from .lists import CONJUNCTIONS, IDIOMS, MEASURES, WordList, word_list

COUNTED = "一二两三四五六七八九十百千万几半这那每某数"
VERSE = re.compile(r"[\u4e00-\u9fff]{4,16}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LISTS: dict[BlankKind, str] = {
    "idioms": IDIOMS,
    "measures": MEASURES,
    "conjunctions": CONJUNCTIONS,
}


@dataclass(frozen=True)
class BlankPlace:
    """A word that may become a blank: text[start:end], of a kind."""

    kind: BlankKind
    start: int
    end: int


def places(text: str, kinds: Sequence[BlankKind], words: Sequence[str]) -> list[BlankPlace]:
    """Places in the order of the text, none inside another; longer ones first where they meet.

    "characters" are single characters of lines that are an idiom or a verse, "words" the caller's.
    """
    found: list[BlankPlace] = []
    for kind in kinds:
        if kind == "words":
            found += _standing(text, kind, words)
        elif kind == "measures":
            found += _measures(text)
        elif kind == "characters":
            found += _characters(text)
        else:
            found += _standing(text, kind, word_list(LISTS[kind]).words)
    taken: set[int] = set()
    apart = []
    for place in sorted(found, key=lambda one: (one.start - one.end, one.start)):
        if taken.isdisjoint(range(place.start, place.end)):
            taken.update(range(place.start, place.end))
            apart.append(place)
    return sorted(apart, key=lambda one: one.start)


def known(kind: BlankKind, words: Sequence[str]) -> WordList:
    """The words that wrong answers of a kind come from."""
    if kind == "words":
        return WordList(tuple(words), {})
    return word_list(LISTS[kind])


def _standing(text: str, kind: BlankKind, words: Iterable[str]) -> list[BlankPlace]:
    """Wherever one of the words stands, the longest where several do."""
    listed = sorted(words, key=lambda word: (-len(word), word))
    if not listed:
        return []
    pattern = re.compile("|".join(map(re.escape, listed)))
    return [BlankPlace(kind, *match.span()) for match in pattern.finditer(text)]


def _measures(text: str) -> list[BlankPlace]:
    """A measure word behind a number or 这, 那, 每, before what is counted."""
    pattern = re.compile(
        rf"(?<=[{COUNTED}])({'|'.join(word_list(MEASURES).words)})(?=[\u4e00-\u9fff])"
    )
    return [BlankPlace("measures", *match.span()) for match in pattern.finditer(text)]


def _characters(text: str) -> list[BlankPlace]:
    """Each character of a short stretch between punctuation: an idiom alone, a half of a verse."""
    return [
        BlankPlace("characters", at, at + 1)
        for match in VERSE.finditer(text)
        for at in range(match.start(), match.end())
        if CHINESE.match(text, at)
    ]
