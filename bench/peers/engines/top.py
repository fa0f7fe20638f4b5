"""The five best tokens of a row of logits, with their probabilities: what every peer returns."""

from __future__ import annotations

from typing import Any

import numpy as np

TOP = 5
Candidates = list[tuple[int, float]]


def best(logits: Any) -> list[Candidates]:
    """float [texts, vocabulary] -> for each text TOP pairs of token id and probability."""
    logits = np.asarray(logits, np.float32)
    top = np.argpartition(logits, -TOP, axis=1)[:, -TOP:]
    values = np.take_along_axis(logits, top, axis=1)
    order = np.argsort(-values, axis=1)
    top, values = (np.take_along_axis(array, order, axis=1) for array in (top, values))
    peak = values[:, :1]
    scores = np.exp(values - peak) / np.exp(logits - peak).sum(axis=1, keepdims=True)
    return [
        list(zip(ids, found, strict=True))
        for ids, found in zip(top.tolist(), scores.tolist(), strict=True)
    ]
