"""Arrays of numbers by type, and logits to probabilities."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]

Float = TypeVar("Float", bound=np.floating[Any])


def softmax(logits: NDArray[Float]) -> NDArray[Float]:
    """Over the last axis, in the precision of `logits`."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), logits.dtype)


def log_softmax(logits: NDArray[Float]) -> NDArray[Float]:
    """Natural logarithms of the softmax over the last axis, in the precision of `logits`."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), logits.dtype)


def sigmoid(logits: FloatArray) -> FloatArray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits), np.float32)
