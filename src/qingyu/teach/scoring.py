"""How well a head that is taught will do: cross-validation, its interval, what it mixes up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qingyu.numbers import log_softmax, softmax

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

FOLDS = 5
Z = 1.96  # standard deviations of a 95 % interval
SURE = 0.9  # of the answers at or above the bar, so many are to be right
LEAST_ANSWERED = 20  # rows at or above the bar, without which its accuracy is unknown


@dataclass(frozen=True)
class Confusion:
    """Rows of one label that were taken for another."""

    label: str
    taken_for: str
    rows: int


@dataclass(frozen=True)
class Score:
    """What cross-validation found.

    accuracy, low, high: share of rows answered rightly, and its 95 % interval
    macro_f1:            F1 of each label, averaged
    calibration_error:   expected calibration error (Naeini et al. 2015), ten bins of one width
    confusions:          the largest first
    """

    rows: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    calibration_error: float
    confusions: tuple[Confusion, ...]


def folds(labels: Labels, groups: NDArray[np.int64], count: int, seed: int = 0) -> Labels:
    """The fold [n] of each row: the labels spread evenly, rows of one group in one fold."""
    rng = np.random.default_rng(seed)
    fold_of = np.empty(len(labels), np.int64)
    size = np.zeros((labels.max() + 1, count), np.int64)
    for group in rng.permutation(np.unique(groups)):
        members = np.flatnonzero(groups == group)
        label = labels[members[0]]
        best = np.flatnonzero(size[label] == size[label].min())
        fold = rng.choice(best)
        fold_of[members] = fold
        size[label, fold] += len(members)
    return fold_of


def score(names: list[str], labels: Labels, probabilities: Array) -> Score:
    """From probabilities [n, k] of rows that were not seen when they were given."""
    told = probabilities.argmax(axis=1)
    right = told == labels
    low, high = interval(int(right.sum()), len(right))
    pairs, counts = np.unique(
        np.stack([labels[~right], told[~right]], axis=1), axis=0, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")
    confusions = tuple(
        Confusion(names[pairs[i][0]], names[pairs[i][1]], int(counts[i])) for i in order
    )
    shares = []
    for label in range(len(names)):
        hits = int((right & (labels == label)).sum())
        all_ = int((labels == label).sum() + (told == label).sum())
        shares.append(2 * hits / all_ if all_ else 0.0)
    return Score(
        len(labels),
        float(right.mean()),
        low,
        high,
        float(np.mean(shares)),
        calibration_error(probabilities.max(axis=1), right),
        confusions,
    )


def interval(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    share = hits / trials
    middle = (share + Z**2 / (2 * trials)) / (1 + Z**2 / trials)
    half = Z / (1 + Z**2 / trials)
    half *= float(np.sqrt(share * (1 - share) / trials + Z**2 / (4 * trials**2)))
    return max(0.0, middle - half), min(1.0, middle + half)


def calibration_error(confidence: Array, right: NDArray[np.bool_]) -> float:
    """How far stated probabilities [n] lie from the share that is right, averaged over rows."""
    bins = np.minimum((confidence * 10).astype(np.int64), 9)
    apart = 0.0
    for number in np.unique(bins):
        inside = bins == number
        apart += abs(float(right[inside].mean() - confidence[inside].mean())) * inside.mean()
    return float(apart)


def temperature(logits: Array, labels: Labels) -> float:
    """What logits [n, k] are divided by so that the softmax of `labels` is likeliest (Guo et al.
    2017)."""
    tried = np.exp(np.arange(-2.0, 2.0, 0.02))
    rows = np.arange(len(labels))
    losses = [-log_softmax(logits / one)[rows, labels].mean() for one in tried]
    return float(tried[int(np.argmin(losses))])


def bar(logits: Array, labels: Labels) -> float | None:
    """The least probability from which on `SURE` of the answers are right; None where there is
    none, or too few rows to tell."""
    probabilities = softmax(logits)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    order = np.argsort(-confidence, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(shares >= SURE)
    if not len(enough) or enough[-1] + 1 < LEAST_ANSWERED:
        return None
    return float(confidence[order[enough[-1]]])
