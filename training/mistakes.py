"""Mistakes as people make them, put into correct sentences to train the correction head.

Kinds: a character that sounds the same or nearly so, one that looks alike, a pair that is often
confused (的地得, 在再), a word typed as another word of the same sound, a character twice, a
character left out. Pairs that people really confuse are counted from sentences with their
corrections; sounds and shapes come from the file that the product reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from qingyu.text.sounds_and_shapes import SoundsAndShapes

# What a marked place should be, where that is not another character. Both are tokens of any BERT
# vocabulary, so the words' table scores them like any character.
TOO_MUCH = "[PAD]"  # nothing should stand here
TOO_LITTLE = "[MASK]"  # something is missing before this

# Characters that writers confuse by habit. Every member may stand for every other.
HABITS = (
    "的地得", "的地得", "在再", "做作", "做作坐座", "坐座", "他她", "他她它", "以已", "像象向",
    "那哪", "吗嘛", "带戴", "进近", "须需", "即既", "与于", "与予", "到道", "到倒", "在再", "常长",
    "园圆", "元员圆", "青清情请晴", "己已", "练炼", "躁燥", "辩辨辫", "渡度", "历厉", "副付幅",
    "赔陪", "采彩", "州洲", "迁牵", "密蜜", "漫慢", "竞竟", "必毕", "账帐", "分份", "那拿", "尝偿",
    "振震", "决绝", "型形", "成乘承", "是事", "和合", "有由", "因应", "为位", "没每", "生声",
    "心新", "话画", "气汽", "候侯", "今近", "末未", "拔拨", "侍待", "拆折", "买卖", "人入", "大太",
    "问间", "幕慕暮墓", "睛晴", "提题", "意义", "义议", "以意", "只支", "只止", "之知", "制治",
)  # fmt: skip
KINDS = ("habit", "sound", "near", "shape", "word", "twice", "missing")
SHARES = (0.34, 0.24, 0.09, 0.14, 0.09, 0.05, 0.05)
COUNTS = (0.55, 0.3, 0.15)  # one mistake, two, three
FLAT = 0.6  # power of a character's frequency by which it is taken for another
SAME_TONE = 2.5  # times likelier than another tone of the same syllable
ALIKE = 0.8  # times likelier than the next lookalike


@dataclass(frozen=True)
class Marked:
    """A text with its mistakes: for the index of each what was meant, a character, TOO_MUCH or
    TOO_LITTLE."""

    text: str
    meant: dict[int, str] = field(default_factory=dict)


def aligned(wrong: str, right: str) -> Marked:
    """A sentence with its correction, of one length."""
    if len(wrong) != len(right):
        raise ValueError(f"not of one length: {wrong!r} and {right!r}")
    return Marked(
        wrong, {i: b for i, (a, b) in enumerate(zip(wrong, right, strict=True)) if a != b}
    )


class Mistakes:
    """Makes mistakes in sentences; what it makes depends on the generator alone."""

    def __init__(
        self,
        known: SoundsAndShapes,
        frequency: Counter[str],
        words: Counter[str],
        real: Iterable[tuple[str, str]] = (),
        shares: Sequence[float] = SHARES,
    ) -> None:
        """`real` are sentences with mistakes and their corrections; `words` how often each is;
        `shares` how often each of KINDS is made."""
        self._shares = shares
        self._known = known
        self._frequency = frequency
        self._real: dict[str, Counter[str]] = {}
        for wrong, right in real:
            for a, b in zip(wrong, right, strict=True):
                if a != b:
                    self._real.setdefault(b, Counter())[a] += 1
        for group in HABITS:
            for char in group:
                for other in set(group) - {char}:
                    self._real.setdefault(char, Counter())[other] += 4
        self._tables: dict[tuple[str, str], tuple[list[str], np.ndarray]] = {}
        self._homophones = self._same_sound(words)

    def make(self, text: str, rng: np.random.Generator) -> Marked:
        """The text with one to three mistakes; as it is where none can be made."""
        chars = list(text)
        meant: dict[int, str] = {}
        for _ in range(1 + int(rng.choice(3, p=COUNTS))):
            kind = str(rng.choice(KINDS, p=self._shares))
            self._one(kind, chars, meant, rng)
        return settled(chars, meant)

    def _one(
        self, kind: str, chars: list[str], meant: dict[int, str], rng: np.random.Generator
    ) -> None:
        near_other = {j for i in meant for j in range(i - 1, i + 2)}
        places = [
            i for i, c in enumerate(chars) if "\u4e00" <= c <= "\u9fff" and i not in near_other
        ]
        if not places:
            return
        if kind == "word":
            self._word(chars, meant, set(places), rng)
            return
        if kind in ("twice", "missing"):
            i = int(rng.choice(places))
            if kind == "missing" and i + 1 in places and (i == 0 or i - 1 in places):
                meant[i] = TOO_LITTLE
            elif kind == "twice" and (i == 0 or chars[i - 1] != chars[i]):
                meant[i] = TOO_MUCH
            return
        if kind == "habit":  # each kind of character once, or 的 would be most of it
            at = {chars[i]: i for i in rng.permutation(places) if chars[i] in self._real}
            weights = np.array([self._real[c].total() ** 0.5 for c in at])
            if not len(weights):
                return
            i = list(at.values())[int(rng.choice(len(at), p=weights / weights.sum()))]
        else:
            i = int(rng.choice(places))
        wrong = self._other(kind, chars[i], rng)
        if wrong:
            meant[i] = chars[i]
            chars[i] = wrong

    def _other(self, kind: str, char: str, rng: np.random.Generator) -> str | None:
        """A character that could be written for another."""
        if (kind, char) not in self._tables:
            self._tables[kind, char] = self._table(kind, char)
        others, shares = self._tables[kind, char]
        return others[int(rng.choice(len(others), p=shares))] if others else None

    def _table(self, kind: str, char: str) -> tuple[list[str], np.ndarray]:
        weights: dict[str, float] = {}
        if kind == "habit":
            weights = {c: float(n) ** 0.7 for c, n in self._real[char].items()}
        elif kind == "shape":
            for rank, c in enumerate(self._known.lookalikes(char)):
                weights[c] = ALIKE**rank * self._frequency[c] ** (FLAT / 2)
        else:
            same = kind == "sound"
            for c in self._known.homophones(char) if same else self._known.near(char):
                tone = SAME_TONE if self._known.same_tone(char, c) else 1.0
                weights[c] = self._frequency[c] ** FLAT * tone
        others = [c for c, weight in weights.items() if weight > 0]
        shares = np.array([weights[c] for c in others])
        return others, shares / shares.sum() if others else shares

    def _same_sound(self, words: Counter[str]) -> dict[str, tuple[list[str], np.ndarray]]:
        """For each word of two characters the others that sound the same, and their shares."""
        by_sound: dict[tuple[str, ...], list[str]] = {}
        for word, count in words.items():
            if len(word) == 2 and count >= 20:
                sounds = tuple(self._known.syllable(c) for c in word)
                if all(sounds):
                    by_sound.setdefault(sounds, []).append(word)
        found = {}
        for group in by_sound.values():
            for word in group:
                others = [other for other in group if other != word]
                if others:
                    shares = np.array([words[other] ** 0.5 for other in others])
                    found[word] = (others, shares / shares.sum())
        return found

    def _word(
        self, chars: list[str], meant: dict[int, str], places: set[int], rng: np.random.Generator
    ) -> None:
        at = [
            i
            for i in range(len(chars) - 1)
            if i in places and i + 1 in places and chars[i] + chars[i + 1] in self._homophones
        ]
        if not at:
            return
        i = int(rng.choice(at))
        others, shares = self._homophones[chars[i] + chars[i + 1]]
        wrong = others[int(rng.choice(len(others), p=shares))]
        for j, c in enumerate(wrong, i):
            if chars[j] != c:
                meant[j] = chars[j]
                chars[j] = c


def settled(chars: Sequence[str], meant: dict[int, str]) -> Marked:
    """Carry out doublings and omissions, which move what comes after."""
    text: list[str] = []
    marks: dict[int, str] = {}
    missing = False
    for i, char in enumerate(chars):
        mark = meant.get(i)
        if mark == TOO_LITTLE:
            missing = True
            continue
        if missing:
            marks[len(text)] = TOO_LITTLE
            missing = False
        if mark == TOO_MUCH:
            text.append(char)
            marks[len(text)] = TOO_MUCH
        elif mark is not None:
            marks[len(text)] = mark
        text.append(char)
    return Marked("".join(text), marks)
