"""Forward and backward through post-norm layers and heads, in numpy, one text at a time.

What first-order importance needs and no more: derivatives by activations, none by weights. Each
function returns its value and another that carries derivatives from the value to the input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qingyu.build.heads import Classifier, Head, MaskedLanguageModel
from qingyu.build.parts import Linear, Norm
from qingyu.numbers import IntArray

Floats: TypeAlias = NDArray[np.floating[Any]]  # of single or double precision, as what comes in
Back: TypeAlias = Callable[[Floats], Floats]

# erf by Abramowitz & Stegun 7.1.26, within 1.5e-7.
ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
ERF_RATE = 0.3275911
TANH_GELU = (2 / np.pi) ** 0.5, 0.044715  # Hendrycks & Gimpel 2016, arXiv:1606.08415


@dataclass(frozen=True)
class Layer:
    """The weights of one layer, as checkpoints have them, and how many heads share its width."""

    query: Linear
    key: Linear
    value: Linear
    attended: Linear
    attended_norm: Norm
    inner: Linear
    outer: Linear
    outer_norm: Norm
    heads: int
    activation: str


@dataclass(frozen=True)
class Passed:
    """One layer's output [tokens, hidden] and the way back through it.

    mixed: [tokens, width], what the attention heads give out, side by side
    units: [tokens, feed_forward], what the feed-forward units give out
    back:  from the output's derivatives to those of the input, of `mixed` and of `units`
    """

    output: Floats
    mixed: Floats
    units: Floats
    back: Callable[[Floats], tuple[Floats, Floats, Floats]]


def forward(layer: Layer, x: Floats) -> Passed:
    """`x` [tokens, hidden], one text, through a layer (Vaswani et al. 2017, arXiv:1706.03762)."""
    mixed, mixed_back = _attention(layer, x)
    y, y_back = _normed(layer.attended_norm, x + _linear(layer.attended, mixed))
    units, units_back = _activated(layer.activation, _linear(layer.inner, y))
    output, output_back = _normed(layer.outer_norm, y + _linear(layer.outer, units))

    def back(given: Floats) -> tuple[Floats, Floats, Floats]:
        given = output_back(given)
        by_units = given @ layer.outer.matrix
        given = y_back(given + units_back(by_units) @ layer.inner.matrix)
        by_mixed = given @ layer.attended.matrix
        return given + mixed_back(by_mixed), by_mixed, by_units

    return Passed(output, mixed, units, back)


def loss_by_rows(head: Head, hidden: Floats, truth: IntArray | None = None) -> tuple[float, Floats]:
    """A head's mean loss over rows [rows, hidden], and its derivatives by them.

    The loss is the cross entropy of `truth`, or without it of what the head itself answers: its
    best label, or each of several decided as it decides. Of a regression it is the number itself.
    """
    write = head.write
    if isinstance(write, MaskedLanguageModel):
        logits, back = _vocabulary(write, hidden)
    elif isinstance(write, Classifier):
        logits, back = _classified(write, hidden)
    else:
        raise TypeError(f"no derivatives of {type(write).__name__}")
    loss, by_logits = _loss(logits, truth, head.problem)
    return loss / len(hidden), back(by_logits / len(hidden))


def _loss(logits: Floats, truth: IntArray | None, problem: str) -> tuple[float, Floats]:
    if problem == "regression":
        return float(logits.sum()), np.ones_like(logits)
    if problem == "multi_label":
        decided = logits > 0
        loss = np.log1p(np.exp(-np.abs(logits))).sum()
        return float(loss), 1 / (1 + np.exp(-logits)) - decided
    best = logits.argmax(axis=1) if truth is None else truth
    places = np.arange(len(logits)), best
    logged = logits - logits.max(axis=1, keepdims=True)
    logged = logged - np.log(np.exp(logged).sum(axis=1, keepdims=True))
    by_logits = np.exp(logged)
    by_logits[places] -= 1
    return -float(logged[places].sum()), by_logits


def _vocabulary(head: MaskedLanguageModel, hidden: Floats) -> tuple[Floats, Back]:
    units, units_back = _activated(head.activation, _linear(head.transform, hidden))
    x, x_back = _normed(head.norm, units)
    table = head.table.matrix

    def back(given: Floats) -> Floats:
        return units_back(x_back(given @ table)) @ head.transform.matrix

    return x @ table.T + head.read_bias(), back


def _classified(head: Classifier, hidden: Floats) -> tuple[Floats, Back]:
    pooler, classifier = head.pooler, head.classifier
    if classifier is None:
        return hidden, lambda given: given
    if pooler is None:
        return _linear(classifier, hidden), lambda given: given @ classifier.matrix
    units, units_back = _activated(head.activation, _linear(pooler, hidden))
    return (
        _linear(classifier, units),
        lambda given: units_back(given @ classifier.matrix) @ pooler.matrix,
    )


def _attention(layer: Layer, x: Floats) -> tuple[Floats, Back]:
    parts = (layer.query, layer.key, layer.value)
    q, k, v = (_parted(_linear(part, x), layer.heads) for part in parts)
    scale = q.shape[-1] ** -0.5
    scores = q @ k.transpose(0, 2, 1) * scale
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)

    def back(given: Floats) -> Floats:
        by_mixed = _parted(given, layer.heads)
        by_shares = by_mixed @ v.transpose(0, 2, 1)
        by_scores = shares * (by_shares - (by_shares * shares).sum(axis=-1, keepdims=True))
        by_scores *= scale
        gradients = (
            by_scores @ k,
            by_scores.transpose(0, 2, 1) @ q,
            shares.transpose(0, 2, 1) @ by_mixed,
        )
        return np.asarray(
            sum(_joined(by) @ part.matrix for by, part in zip(gradients, parts, strict=True))
        )

    return _joined(shares @ v), back


def _parted(x: Floats, heads: int) -> Floats:
    """[tokens, heads * width] to [heads, tokens, width]."""
    return np.asarray(x.reshape(len(x), heads, -1).transpose(1, 0, 2))


def _joined(x: Floats) -> Floats:
    return np.asarray(x.transpose(1, 0, 2).reshape(x.shape[1], -1))


def _linear(linear: Linear, x: Floats) -> Floats:
    y = x @ linear.matrix.T
    return np.asarray(y if linear.bias is None else y + linear.bias)


def _normed(norm: Norm, x: Floats) -> tuple[Floats, Back]:
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + norm.epsilon)
    even = centred / deviation

    def back(given: Floats) -> Floats:
        by = given * norm.gain
        along = (by * even).mean(axis=1, keepdims=True)
        return np.asarray((by - by.mean(axis=1, keepdims=True) - even * along) / deviation)

    return even * norm.gain + norm.bias, back


def _activated(name: str, x: Floats) -> tuple[Floats, Back]:
    if name == "relu":
        y, slope = np.maximum(x, 0), (x > 0).astype(x.dtype)
    elif name == "tanh":
        y = np.tanh(x)
        slope = 1 - y * y
    elif name == "gelu":
        below = (1 + _erf(x * 0.5**0.5)) / 2
        y = x * below
        slope = below + x * np.exp(-x * x / 2) * (2 * np.pi) ** -0.5
    else:  # the tanh form of GELU
        rate, cubic = TANH_GELU
        tanh = np.tanh(rate * (x + cubic * x**3))
        y = x * (1 + tanh) / 2
        slope = (1 + tanh) / 2 + x * (1 - tanh * tanh) / 2 * rate * (1 + 3 * cubic * x * x)
    return y, lambda given: given * slope


def _erf(x: Floats) -> Floats:
    t = 1 / (1 + ERF_RATE * np.abs(x))
    return np.asarray(np.sign(x) * (1 - t * np.polyval(ERF, t) * np.exp(-x * x)))
