"""What Chinese characters sound like, what looks like them, and which are traditional.

The table beside this file is made by `training/sounds_and_shapes.py` and read when first wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path

TABLE = Path(__file__).with_suffix(".tsv")

# Sounds that speakers of many regions, and input methods set for them, do not tell apart.
INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("f", "h"), ("hu", "f"), ("r", "l"))
FINALS = (("ing", "in"), ("eng", "en"), ("ang", "an"))


class SoundsAndShapes:
    """Readings, lookalikes and simplified forms of characters.

    readings:   a character's, such as hang2 (digit: tone), the usual one first
    alike:      the characters that look like it, most alike first
    confused:   the characters that writers confuse with it, most often first
    simplified: a traditional character's simplified form
    """

    def __init__(
        self,
        readings: Mapping[str, tuple[str, ...]],
        alike: Mapping[str, str],
        confused: Mapping[str, str],
        simplified: Mapping[str, str],
    ) -> None:
        self._readings = readings
        self._alike = alike
        self._confused = confused
        self.simplified = simplified

    @classmethod
    def read(cls, path: Path = TABLE) -> SoundsAndShapes:
        """From lines of character, readings, lookalikes, confused characters and simplified form,
        parted by tabs."""
        readings: dict[str, tuple[str, ...]] = {}
        alike: dict[str, str] = {}
        confused: dict[str, str] = {}
        simplified: dict[str, str] = {}
        for line in path.read_text("utf-8").splitlines():
            if not line.startswith("#"):
                char, sounds, shapes, mistaken, plain = line.split("\t")
                if plain:
                    simplified[char] = plain
                else:
                    readings[char] = tuple(sounds.split(",")) if sounds else ()
                    alike[char] = shapes
                    confused[char] = mistaken
        return cls(readings, alike, confused, simplified)

    def traditional(self, char: str) -> str:
        """A traditional form of a simplified character; itself where there is none."""
        return self._traditional.get(char, char)

    @cached_property
    def _traditional(self) -> dict[str, str]:
        return {plain: char for char, plain in reversed(list(self.simplified.items()))}

    def syllable(self, char: str) -> str:
        """The usual reading without its tone; "" where none is known."""
        sounds = self._readings.get(char)
        return sounds[0][:-1] if sounds else ""

    def syllables(self, char: str) -> frozenset[str]:
        """All readings without tones."""
        return frozenset(sound[:-1] for sound in self._readings.get(char, ()))

    def same_tone(self, first: str, second: str) -> bool:
        """Whether two characters share a reading, tone included."""
        return not set(self._readings.get(first, ())).isdisjoint(self._readings.get(second, ()))

    def same_sound(self, first: str, second: str) -> bool:
        """Whether two characters share a reading but for the tone."""
        return not self.syllables(first).isdisjoint(self.syllables(second))

    def near_sound(self, first: str, second: str) -> bool:
        """Whether a reading of one is easily taken for a reading of the other."""
        others = self.syllables(second)
        return any(not others.isdisjoint(neighbours(one)) for one in self.syllables(first))

    def looks_alike(self, first: str, second: str) -> bool:
        """Whether either is among the other's lookalikes."""
        return second in self._alike.get(first, "") or first in self._alike.get(second, "")

    def often_confused(self, first: str, second: str) -> bool:
        """Whether writers were seen to confuse the two."""
        return second in self._confused.get(first, "")

    def lookalikes(self, char: str) -> str:
        """Characters that look like it, most alike first."""
        return self._alike.get(char, "")

    def confusions(self, char: str) -> list[str]:
        """All characters it could be confused with, the likelier kinds first."""
        others = [
            *self._confused.get(char, ""),
            *self.homophones(char),
            *self.lookalikes(char),
            *self.near(char),
        ]
        return [one for one in dict.fromkeys(others) if one != char]

    def homophones(self, char: str) -> list[str]:
        """Other characters that share a reading but for the tone."""
        return self._spoken(char, self.syllables(char))

    def near(self, char: str) -> list[str]:
        """Characters that sound nearly the same, homophones left out."""
        own = self.syllables(char)
        beside = {near for one in own for near in neighbours(one)} - own
        return [one for one in self._spoken(char, beside) if not self.same_sound(one, char)]

    def _spoken(self, char: str, syllables: frozenset[str] | set[str]) -> list[str]:
        others = (one for sound in sorted(syllables) for one in self._by_syllable.get(sound, ()))
        return [one for one in dict.fromkeys(others) if one != char]

    @cached_property
    def _by_syllable(self) -> dict[str, list[str]]:
        characters: dict[str, list[str]] = {}
        for char in self._readings:
            for sound in self.syllables(char):
                characters.setdefault(sound, []).append(char)
        return characters


@lru_cache(maxsize=2048)
def neighbours(syllable: str) -> frozenset[str]:
    """Syllables easily taken for this one: one sound apart, or two (zhen and zeng)."""
    once = set(_apart(syllable))
    twice = {other for one in once for other in _apart(one)}
    return frozenset((once | twice) - {syllable})


def _apart(syllable: str) -> Iterator[str]:
    for long, short in INITIALS:
        if syllable.startswith(long):
            yield short + syllable[len(long) :]
        elif syllable.startswith(short) and not syllable.startswith(short + "h"):
            yield long + syllable[len(short) :]
    for long, short in FINALS:
        if syllable.endswith(long):
            yield syllable[: -len(long)] + short
        elif syllable.endswith(short):
            yield syllable[: -len(short)] + long
