"""What checkpoints call the parts of a layer, and these parts as a bundle names them."""

from __future__ import annotations

from dataclasses import dataclass

from qingyu.build.parts import Linear, Norm, PostNorm
from qingyu.build.sources.weights import Weights


@dataclass(frozen=True)
class LayerNames:
    """What a checkpoint calls the parts of one layer."""

    query: str
    key: str
    value: str
    attended: str
    attended_norm: str
    inner: str
    outer: str
    outer_norm: str

    def below(self, stem: str) -> LayerNames:
        """The same parts of the layer whose names begin with `stem`."""
        return LayerNames(**{part: f"{stem}.{name}" for part, name in vars(self).items()})


BERT = LayerNames(
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)


@dataclass(frozen=True)
class LayerShape:
    """Widths of one layer: `width` is that of all attention heads together."""

    hidden: int
    width: int
    feed_forward: int
    epsilon: float


def linear(weights: Weights, name: str, outputs: int, inputs: int, prefix: str = "") -> Linear:
    """`<name>.weight` and `<name>.bias`; a bundle's name is without the `prefix`."""
    return Linear(
        name.removeprefix(prefix),
        outputs,
        inputs,
        lambda: weights.get(f"{name}.weight", outputs, inputs),
        lambda: weights.get(f"{name}.bias", outputs),
    )


def norm(weights: Weights, name: str, width: int, epsilon: float, prefix: str = "") -> Norm:
    return Norm(
        name.removeprefix(prefix),
        epsilon,
        lambda: weights.get(f"{name}.weight", width),
        lambda: weights.get(f"{name}.bias", width),
    )


def post_norm(weights: Weights, names: LayerNames, shape: LayerShape, prefix: str = "") -> PostNorm:
    """One layer; its query, key and value are one product `qkv`."""
    hidden, width = shape.hidden, shape.width
    parts = [
        linear(weights, name, width, hidden, prefix)
        for name in (names.query, names.key, names.value)
    ]
    stem = names.query.removeprefix(prefix).rpartition(".")[0]
    return PostNorm(
        Linear.stacked(f"{stem}.qkv", parts),
        linear(weights, names.attended, hidden, width, prefix),
        norm(weights, names.attended_norm, hidden, shape.epsilon, prefix),
        linear(weights, names.inner, shape.feed_forward, hidden, prefix),
        linear(weights, names.outer, hidden, shape.feed_forward, prefix),
        norm(weights, names.outer_norm, hidden, shape.epsilon, prefix),
    )
