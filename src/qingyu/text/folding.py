"""Characters that a vocabulary cannot read, as those that they stand for: full-width letters and
digits, radicals and compatibility forms of ideographs, circled numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

# Where Unicode keeps forms of other characters: symbols and enclosed ones, radicals, compatibility
# ideographs, full-width and half-width forms, letters of mathematics.
PLACES = (
    (0x2000, 0x2BFF), (0x2E80, 0x2FDF), (0x3130, 0x33FF), (0xF900, 0xFAFF), (0xFE30, 0xFFEF),
    (0x1D400, 0x1D7FF), (0x1F100, 0x1F1FF), (0x2F800, 0x2FA1F),
)  # fmt: skip
FORM = re.compile(f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in PLACES)}]")


class Foldings:
    """What a vocabulary reads a character as, always one character for one: its NFKC form, where
    the vocabulary lacks the character, inside a word too, but has the form.

    Each is looked up when a text first holds it: the vocabulary would take 30 ms to be asked for
    all of them, before the first answer of every process.
    """

    def __init__(self, known: Callable[[str], bool]) -> None:
        """`known` says whether the vocabulary has all of a text."""
        self._known = known
        self._found: dict[int, str] = {}

    def fold(self, text: str) -> str:
        """As long as before."""
        if text.isascii() or FORM.search(text) is None:
            return text
        for char in set(FORM.findall(text)):
            if ord(char) not in self._found:
                self._found[ord(char)] = self._reading(char)
        return text.translate(self._found)

    def _reading(self, char: str) -> str:
        form = unicodedata.normalize("NFKC", char)
        if len(form) != 1 or form == char or form.isspace():
            return char
        return form if self._known(form * 2) and not self._known(char * 2) else char
