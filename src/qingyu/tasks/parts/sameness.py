"""Whether two texts mean the same, from what the pair head says and what lies open in the texts.

A small head takes two texts of nearly the same words for the same. What they share and do not
share (`text/differences.py`) and what turns a meaning round (`text/contrasts.py`) are evidence
beside it: log-odds that are added up, with weights that `training/sameness.py` fits. Weights of
terms are in `sameness.tsv`, a term and its weight a line; those of a text's shape stand first: a
name, from which value it counts, and its weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from qingyu.text.contrasts import contrast, plain
from qingyu.text.differences import SHAPE, asks, differences

# Characters of both texts from which little is left of evidence, and how steeply it falls: all of
# it, and that of words where nothing is asked. Terms were weighed on questions; where statements
# of the same words differ, it is in their order.
LONG, LONG_STEEP = 45.0, 6.0
STATED, STATED_STEEP = 30.0, 8.0
FARTHEST = 200  # characters of both texts from which evidence is not looked for
EVIDENCE = (
    "head", "head alone", "words", "exchanged", "turned", "number", "named",
    "turned twice", "nothing differs", "nothing but words", "short",
)  # fmt: skip


@dataclass(frozen=True)
class TermWeights:
    """Of terms, and of shapes: from which value each counts, and how much."""

    terms: dict[str, float]
    shape: tuple[tuple[int, float, float], ...]

    def __call__(self, a: str, b: str) -> float:
        """Log-odds that two texts mean the same which `plain` has read."""
        terms, shape = differences(a, b)
        words = sum(self.terms.get(term, 0.0) * count for term, count in terms.items())
        return words + sum(weight * max(0.0, shape[i] - bar) for i, bar, weight in self.shape)


@lru_cache(maxsize=1)
def weights() -> TermWeights:
    """Those of the package, read once."""
    return read(resources.files("qingyu.tasks.parts").joinpath("sameness.tsv").read_text("utf-8"))


def read(text: str) -> TermWeights:
    """Weights from the lines of a file."""
    rows = [line.split("\t") for line in text.split("\n")]
    shape = tuple((SHAPE.index(r[0]), float(r[1]), float(r[2])) for r in rows if len(r) == 3)
    return TermWeights({row[0]: float(row[1]) for row in rows if len(row) == 2}, shape)


def evidence(text: str, other: str, log_odds: float) -> list[float]:
    """The EVIDENCE for two texts meaning the same, in its order.

    log_odds: of the pair head
    """
    a, b = plain(text), plain(other)
    if len(a) + len(b) > FARTHEST:
        return [log_odds, log_odds, *[0.0] * (len(EVIDENCE) - 2)]
    return gathered(a, b, log_odds, weights()(a, b))


def gathered(a: str, b: str, log_odds: float, words: float) -> list[float]:
    """The EVIDENCE of texts that `plain` has read.

    words: log-odds by their terms and shape
    """
    length = len(a) + len(b)
    short = _fading(length, LONG, LONG_STEEP)
    heard = short
    if not (asks(a) or asks(b)):
        heard *= _fading(length, STATED, STATED_STEEP)
    found = contrast(a, b)
    near = short / (1 + found.rest)
    odd = found.turns % 2 == 1
    other = found.number or found.named
    alone = odd and found.exchanged and found.turns == 1
    return [
        log_odds,
        (1 - heard) * log_odds,
        heard * words,
        near * alone,
        near * (odd and not alone),
        near * found.number,
        near * found.named,
        near * (found.turns > 0 and not odd and not other),
        near * (found.turns == 0 and not other),
        short * (found.turns == 0 and not other and found.rest == 0),
        short,
    ]


def _fading(length: int, half: float, steep: float) -> float:
    """From 1 for short texts to 0, and a half at `half` characters."""
    return float(1 / (1 + (length / half) ** steep))


# Fitted by training/sameness.py, in the order of EVIDENCE.
WEIGHTS = (
    0.62, 0.73, 0.56, -5.84, -4.17, -3.87, -3.69, 1.81, -1.77, 2.67, 0.48
)  # fmt: skip


def same(text: str, other: str, log_odds: float) -> float:
    """The probability that two texts mean the same.

    log_odds: of the pair head
    """
    found = evidence(text, other, log_odds)
    total = sum(weight * value for weight, value in zip(WEIGHTS, found, strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))
