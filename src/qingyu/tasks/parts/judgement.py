"""From evidence to a judgement: a noisy channel over what a place could have been meant to be.

A writer means character c and writes o. What is asked is P(c | o, text), over o itself, what o can
be confused with, and the few characters that the model wants most. Its logarithm is taken as a
weighted sum: how c and o are confused (sound, shape, habit), what the model says of each, and a
prior against any mistake (a log-linear noisy channel, after Kernighan, Church and Gale 1990). The
weights are fitted by `training/judge.py` on sentences that no head was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qingyu.numbers import FloatArray
from qingyu.results import Reason
from qingyu.tasks.parts.evidence import JudgedPlace
from qingyu.text.sounds_and_shapes import SoundsAndShapes
from qingyu.text.tokenizer import Tokenizer

DE = "的地得"
WANTED = 3  # characters that the model wants most, whatever they sound and look like
RIVALS = 8  # confusable characters that are weighed
FLOOR = -16.0  # a log-probability below is as good as it
HOPE = -4.0  # log-odds before a place is masked, from which masking can make it a suspect

FEATURES = (
    "tone", "sound", "near", "shape", "habit", "other", "de",
    "doubled", "twice", "missing", "doubt", "usual", "meant", "masked", "own",
)  # fmt: skip
COLUMN = {name: i for i, name in enumerate(FEATURES)}


@dataclass(frozen=True)
class Option:
    """What could have been meant at a place: a character, or nothing or one more (`kind`
    "doubled", "missing"), with its features, float32 [len(FEATURES)]."""

    kind: str
    token_id: int
    reason: Reason
    features: FloatArray


class Judge:
    """Knows the characters of a vocabulary and which of them are confused.

    chinese: the tokens that are one Chinese character
    """

    def __init__(self, tokenizer: Tokenizer, known: SoundsAndShapes) -> None:
        self._tokenizer = tokenizer
        self._known = known
        self.chinese = set(tokenizer.chinese_ids.tolist())
        self._confusions: dict[str, list[int]] = {}

    def worth(self, place: JudgedPlace, ids: Sequence[int], trained: bool) -> bool:
        """Whether it can matter what the model says of a place that it does not see. Without a
        trained head nothing else speaks for a suspect."""
        if not trained:
            return True
        options = self.options(place, ids, trained)
        return bool(scores(options, TRAINED.array, TRAINED.prior).max(initial=-np.inf) > HOPE)

    def options(self, place: JudgedPlace, ids: Sequence[int], trained: bool) -> list[Option]:
        """All that could have been meant at a place, but what stands there."""
        char = self._tokenizer.surface(ids[place.index])
        rows = [place.meant] if place.masked is None else [place.meant, place.masked]
        weighed = rows[0] if place.masked is None else place.meant + place.masked
        near = np.array(self._confused(char), np.int64)
        chosen = near[np.argsort(-weighed[near], kind="stable")[:RIVALS]].tolist()
        for row in rows:
            best = np.argpartition(-row, WANTED)[:WANTED]
            chosen += [one for one in best.tolist() if one in self.chinese]
        found = [
            self._option(place, ids[place.index], char, one)
            for one in dict.fromkeys(chosen)
            if one != ids[place.index]
        ]
        if trained:
            found += self._absent(place, ids)
        return found

    def _option(self, place: JudgedPlace, own_id: int, char: str, token_id: int) -> Option:
        other = self._tokenizer.surface(token_id)
        known = self._known
        features = np.zeros(len(FEATURES), np.float32)
        sound = known.same_sound(char, other)
        near = not sound and known.near_sound(char, other)
        shape = known.looks_alike(char, other)
        habit = known.often_confused(char, other)
        features[COLUMN["tone"]] = sound and known.same_tone(char, other)
        features[COLUMN["sound"]] = sound
        features[COLUMN["near"]] = near
        features[COLUMN["shape"]] = shape
        features[COLUMN["habit"]] = habit
        features[COLUMN["other"]] = not (sound or near or shape or habit)
        features[COLUMN["de"]] = char in DE and other in DE
        features[COLUMN["doubt"]] = place.doubt
        features[COLUMN["usual"]] = place.usual
        features[COLUMN["meant"]] = max(FLOOR, float(place.meant[token_id]))
        if place.masked is not None:
            features[COLUMN["masked"]] = max(FLOOR, float(place.masked[token_id]))
            features[COLUMN["own"]] = max(FLOOR, float(place.masked[own_id]))
        if char in DE and other in DE:
            reason: Reason = "的地得"
        elif sound:
            reason = "同音"
        elif shape and not near:
            reason = "形近"
        else:
            reason = "近音" if near else "搭配"
        return Option("character", token_id, reason, features)

    def _absent(self, place: JudgedPlace, ids: Sequence[int]) -> list[Option]:
        """That the character is one too many, or that one is missing before it, as the correction
        head says it: by the first special tokens of the vocabulary."""
        i = place.index
        repeats = (i > 0 and ids[i - 1] == ids[i]) or (
            i > 2 and tuple(ids[i - 3 : i - 1]) == tuple(ids[i - 1 : i + 1])
        )
        found = []
        for kind, token_id in (("doubled", self.too_much), ("missing", self.too_little)):
            if token_id is None:
                continue
            features = np.zeros(len(FEATURES), np.float32)
            features[COLUMN[kind]] = 1
            features[COLUMN["twice"]] = kind == "doubled" and repeats
            features[COLUMN["doubt"]] = place.doubt
            features[COLUMN["usual"]] = place.usual
            features[COLUMN["meant"]] = max(FLOOR, float(place.meant[token_id]))
            reason: Reason = "重复" if kind == "doubled" else "缺字"
            found.append(Option(kind, token_id, reason, features))
        return found

    @property
    def too_much(self) -> int | None:
        """The token by which the correction head says that nothing should stand there."""
        return self._tokenizer.token_to_id("[PAD]")

    @property
    def too_little(self) -> int | None:
        """The token by which the correction head says that something is missing before."""
        return self._tokenizer.mask_id

    def _confused(self, char: str) -> list[int]:
        if char not in self._confusions:
            ids = (self._tokenizer.token_to_id(one) for one in self._known.confusions(char))
            self._confusions[char] = [i for i in ids if i is not None and i in self.chinese]
        return self._confusions[char]


def scores(options: Sequence[Option], weights: FloatArray, prior: float) -> FloatArray:
    """float32 [options]: log-odds of each against nothing being wrong.

    weights: float32 [len(FEATURES)]
    prior:   log-odds that are added to each option
    """
    if not options:
        return np.zeros(0, np.float32)
    return np.stack([option.features for option in options]) @ weights + np.float32(prior)


def probabilities(options: Sequence[Option], weights: FloatArray, prior: float) -> FloatArray:
    """float32 [1 + options]: that nothing is wrong, then that each option was meant."""
    odds = np.concatenate([np.zeros(1, np.float32), scores(options, weights, prior)])
    shifted = np.exp(odds - odds.max())
    return np.asarray(shifted / shifted.sum(), np.float32)


@dataclass(frozen=True)
class EvidenceWeights:
    """How evidence is weighed: of each feature, a prior against mistakes (log-odds), and how much
    an entity's name speaks against one (log-odds)."""

    features: tuple[float, ...]
    prior: float
    name: float

    @property
    def array(self) -> FloatArray:
        return np.array(self.features, np.float32)


# Fitted as training/judge.py does; the order is that of FEATURES. Without a correction head "doubt"
# and "meant" are of the masked language model in sight of the text.
CHANNEL = EvidenceWeights(
    (0.2, 0.6, 0.3, -0.2, 2.2, -3.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.56, -0.54), -6.2, 1.5
)
TRAINED = EvidenceWeights(
    (-0.01, 0.7, 0.64, 0.25, 2.07, -3.53, -0.35, -0.39, 3.19, -0.02, 0.51, -0.1, 0.28, 0.4, -0.24),
    -4.6, 1.5,
)  # fmt: skip
