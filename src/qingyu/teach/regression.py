"""Multinomial logistic regression with a penalty, in NumPy: rows of numbers to probabilities.

Shapes: n rows, d numbers a row, k labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qingyu.numbers import log_softmax

from .design import Design

Array = NDArray[np.float64]
Objective = Callable[[Array], tuple[float, Array]]

MEMORY = 10  # steps that L-BFGS remembers
STEPS = 200
TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Fit:
    """logits = rows times weights + bias + trust * prior.

    weights [d, k], bias [k]; `trust` is how far what was known before is believed, 0 without it.
    """

    weights: Array
    bias: Array
    trust: float = 0.0

    def logits(self, rows: Design, prior: Array | None = None) -> Array:
        """float64 [n, k]; `prior` [n, k] is as it was when this was fitted."""
        scores = rows.times(self.weights) + self.bias
        return np.asarray(scores if prior is None else scores + self.trust * prior, np.float64)


def fit(
    rows: Design,
    labels: NDArray[np.int64],
    count: int,
    penalty: float,
    prior: Array | None = None,
    importance: Array | None = None,
) -> Fit:
    """The likeliest weights for `labels` [n] of `count` kinds, less `penalty` / 2 times the sum of
    their squares.

    prior:      log-probabilities [n, k] known beforehand; the fit starts from them and learns what
                they lack
    importance: weight of each row [n], 1 without it
    """
    n, d = len(rows), rows.width
    k = count
    told = np.zeros((n, k))
    told[np.arange(n), labels] = 1.0
    share = np.ones(n) if importance is None else importance
    share = share / share.sum()

    def objective(values: Array) -> tuple[float, Array]:
        weights, bias, trust = values[: d * k].reshape(d, k), values[d * k : -1], values[-1]
        logits = rows.times(weights) + bias
        if prior is not None:
            logits = logits + trust * prior
        logs = log_softmax(logits)
        loss = -float(share @ logs[np.arange(n), labels])
        loss += penalty / 2 * float((weights**2).sum())
        error = (np.exp(logs) - told) * share[:, None]
        slope = np.empty_like(values)
        slope[: d * k] = (rows.back(error) + penalty * weights).ravel()
        slope[d * k : -1] = error.sum(axis=0)
        slope[-1] = 0.0
        if prior is not None:  # trust is drawn to 1: that is what the prior claims for itself
            loss += penalty / 2 * float((trust - 1) ** 2)
            slope[-1] = float((error * prior).sum()) + penalty * (trust - 1)
        return loss, slope

    start = np.zeros(d * k + k + 1)
    start[-1] = 0.0 if prior is None else 1.0
    solution = minimise(objective, start)
    return Fit(solution[: d * k].reshape(d, k), solution[d * k : -1], float(solution[-1]))


def minimise(objective: Objective, start: Array, most: int = STEPS) -> Array:
    """Where a smooth function of [m] numbers is least: L-BFGS (Liu and Nocedal 1989) with steps
    halved until they lower the function enough (Armijo 1966), `most` of them.
    """
    at, (value, slope) = start, objective(start)
    steps: list[Array] = []
    turns: list[Array] = []
    for _ in range(most):
        if np.abs(slope).max() < TOLERANCE:
            break
        direction = -_curved(slope, steps, turns)
        downhill = float(direction @ slope)
        if downhill >= 0:  # rounding has spoilt what was remembered
            direction, downhill = -slope, -float(slope @ slope)
            steps.clear()
            turns.clear()
        length = 1.0
        while True:
            there = at + length * direction
            lower, new_slope = objective(there)
            if lower <= value + 1e-4 * length * downhill or length < 1e-10:
                break
            length /= 2
        step, turn = there - at, new_slope - slope
        if step @ turn > 1e-12:
            steps.append(step)
            turns.append(turn)
            del steps[:-MEMORY], turns[:-MEMORY]
        if value - lower < 1e-9 * max(1.0, abs(value)):
            return there if lower < value else at
        at, value, slope = there, lower, new_slope
    return at


def _curved(slope: Array, steps: list[Array], turns: list[Array]) -> Array:
    """The slope times the inverse curvature that past steps have shown (two-loop recursion)."""
    curvature = slope.copy()
    shares = []
    for step, turn in zip(reversed(steps), reversed(turns), strict=True):
        share = float(step @ curvature) / float(step @ turn)
        curvature -= share * turn
        shares.append(share)
    if steps:
        curvature *= float(steps[-1] @ turns[-1]) / float(turns[-1] @ turns[-1])
    for (step, turn), share in zip(zip(steps, turns, strict=True), reversed(shares), strict=True):
        curvature += step * (share - float(turn @ curvature) / float(step @ turn))
    return np.asarray(curvature, np.float64)
