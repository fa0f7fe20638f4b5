"""Characters that a vocabulary cannot read, as those that they stand for: full-width letters and
digits, radicals and compatibility forms of ideographs, circled numbers."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

# Where Unicode keeps forms of other characters: symbols and enclosed ones, radicals, compatibility
# ideographs, full-width and half-width forms, letters of mathematics.
PLACES = (
    (0x2000, 0x2BFF), (0x2E80, 0x2FDF), (0x3130, 0x33FF), (0xF900, 0xFAFF), (0xFE30, 0xFFEF),
    (0x1D400, 0x1D7FF), (0x1F100, 0x1F1FF), (0x2F800, 0x2FA1F),
)  # fmt: skip


def foldings(known: Callable[[Sequence[str]], list[bool]]) -> dict[int, str]:
    """What to read for which code point, always one character for one: where `known` says of texts
    that the vocabulary lacks the character, inside a word too, but has its NFKC form."""
    forms = _forms()
    lacks = known([char * 2 for char in forms])
    has = known([form * 2 for form in forms.values()])
    return {
        ord(char): form
        for (char, form), alone, folded in zip(forms.items(), lacks, has, strict=True)
        if folded and not alone
    }


@lru_cache(maxsize=1)
def _forms() -> dict[str, str]:
    """Characters whose NFKC form is one other character, white space left out."""
    chars = (chr(code) for first, last in PLACES for code in range(first, last + 1))
    forms = ((char, unicodedata.normalize("NFKC", char)) for char in chars)
    return {
        char: form for char, form in forms if len(form) == 1 and form != char and not form.isspace()
    }
