"""What a build concluded or left out, said to whoever builds."""

from __future__ import annotations

from typing import NamedTuple


class Note(NamedTuple):
    """One sentence in both languages."""

    zh: str
    en: str
