"""Simplified and traditional characters: in which a text is written, and each as the other.

A character is always one character in the other script, so that a place in a text is the same
place in what it is read as. The table beside this file is made by `training/scripts.py`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from sys import intern

COMPATIBILITY = range(0xF900, 0xFB00)  # ideographs that stand for others
TABLE = Path(__file__).with_suffix(".tsv")


class Scripts:
    """Both scripts, character by character.

    simplified:  of each traditional character
    traditional: the usual one of each simplified character that has another form
    pairs:       of neighbours in which it is not the usual one
    """

    def __init__(
        self,
        simplified: Mapping[str, str],
        traditional: Mapping[str, str],
        pairs: Mapping[str, str],
    ) -> None:
        self._simplified = str.maketrans(dict(simplified))
        self._traditional = traditional
        self._pairs = pairs
        self._foreign = frozenset(char for char in simplified if not _encodes(char, "gb2312"))

    @classmethod
    def read(cls, path: Path = TABLE) -> Scripts:
        """From lines as the head of the file says."""
        simplified: dict[str, str] = {}
        traditional: dict[str, str] = {}
        pairs: dict[str, str] = {}
        kinds = {"=": traditional, "+": pairs}
        for line in path.read_text("utf-8").splitlines():
            if not line.startswith("#"):
                *kind, from_, to = map(intern, line.split("\t"))  # most stand in several
                (kinds[kind[0]] if kind else simplified)[from_] = to
        for char in map(chr, COMPATIBILITY):
            form = unicodedata.normalize("NFKC", char)
            if form in simplified:
                simplified[char] = simplified[form]
        return cls(simplified, traditional, pairs)

    @cached_property
    def _own(self) -> frozenset[str]:
        """Characters that only simplified text has."""
        return frozenset(
            plain
            for plain, old in self._traditional.items()
            if plain != old and not _encodes(plain, "big5")
        )

    def is_traditional(self, text: str) -> bool:
        """Whether more of the characters are in traditional text alone than in simplified alone."""
        if text.isascii():
            return False
        foreign = sum(map(self._foreign.__contains__, text))
        return foreign > 0 and foreign > sum(map(self._own.__contains__, text))

    def to_simplified(self, text: str) -> str:
        """Each character in its simplified form; as long as before."""
        return text.translate(self._simplified)

    def to_traditional(self, word: str, before: str = "", after: str = "") -> str:
        """Each character of a simplified word in the traditional form that it has between its
        neighbours, those before and after the word included."""
        whole = before[-1:] + word + after[:1]
        first = len(before[-1:])
        return "".join(self._form(whole, i) for i in range(first, first + len(word)))

    def _form(self, text: str, at: int) -> str:
        left, right = text[max(0, at - 1) : at + 1], text[at : at + 2]
        if len(left) == 2 and left in self._pairs:
            return self._pairs[left][1]
        if len(right) == 2 and right in self._pairs:
            return self._pairs[right][0]
        return self._traditional.get(text[at], text[at])


@lru_cache(maxsize=1)
def scripts() -> Scripts:
    """The table that comes with the package, read once."""
    return Scripts.read()


def _encodes(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
