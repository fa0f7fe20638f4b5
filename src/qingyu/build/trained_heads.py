"""Heads that `heads.json` describes: trained beside a checkpoint's own, with layers of their own
or without, under names of BERT's kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from qingyu.build.heads import Classifier, Described, Head, MaskedLanguageModel, Readout
from qingyu.build.naming import BERT, LayerShape, linear, norm, post_norm
from qingyu.build.parts import Linear, PostNorm, Vector
from qingyu.build.sources.weights import Weights
from qingyu.errors import CheckpointError
from qingyu.plan import Function


@dataclass(frozen=True)
class Trunk:
    """What such a head must know of the encoder that it reads.

    table:    the word embeddings, which a head that answers words multiplies
    separate: whether its layers are layers of their own, so that heads can branch off between
    """

    layers: int
    shape: LayerShape
    activation: Function
    table: Linear
    separate: bool


def trained_head(name: str, described: Described, trunk: Trunk, weights: Weights) -> Head:
    """A head whose tensors are in `weights`. Raises CheckpointError where it branches off where
    the encoder has no layer; tensors that are missing are told when they are written.
    """
    own = tuple(_own_layers(described.owner, trunk, weights))
    branch = trunk.layers if described.branch is None else described.branch
    if not 1 <= branch <= trunk.layers or (not trunk.separate and (own or branch < trunk.layers)):
        raise CheckpointError(
            f"任务头 {name} 从第 {branch} 层分出，自有 {len(own)} 层，"
            f"而模型有 {trunk.layers} 层{'' if trunk.separate else '，各层不可分开'}。",
            f"The head {name} branches off after layer {branch} with {len(own)} of its own; the "
            f"model has {trunk.layers}{'' if trunk.separate else ', which cannot be parted'}.",
        )
    return Head(
        name,
        described.kind,
        described.labels,
        _readout(name, described, trunk, weights),
        unit=described.unit,
        owner=described.owner,
        branch=branch if own or branch < trunk.layers else None,
        layers=own,
        evidence=described.evidence,
    )


def _own_layers(owner: str, trunk: Trunk, weights: Weights) -> Iterator[PostNorm]:
    for index in range(trunk.layers):
        names = BERT.below(f"heads.{owner}.encoder.layer.{index}")
        if f"{names.query}.weight" not in weights:
            return
        yield post_norm(weights, names, trunk.shape)


def _readout(name: str, described: Described, trunk: Trunk, weights: Weights) -> Readout:
    stem, hidden = f"heads.{name}", trunk.shape.hidden
    if described.kind in ("correction", "masked-lm"):  # words, by the table of the encoder
        return MaskedLanguageModel(
            linear(weights, f"{stem}.transform.dense", trunk.table.inputs, hidden),
            trunk.activation,
            norm(weights, f"{stem}.transform.LayerNorm", trunk.table.inputs, trunk.shape.epsilon),
            trunk.table,
            f"{stem}.bias",
            lambda: weights.get(f"{stem}.bias", trunk.table.outputs),
        )
    if described.kind == "embedding":
        if f"{stem}.dense.weight" not in weights:
            return Classifier(None)
        width = weights.shape(f"{stem}.dense.weight")[0]
        return Classifier(linear(weights, f"{stem}.dense", width, hidden))
    if described.owner != name and f"{stem}.classifier.weight" not in weights:
        stem = f"heads.{described.owner}"  # of the head whose layers it reads
    classifier = linear(weights, f"{stem}.classifier", len(described.labels), hidden)
    classifier = _divided(classifier, described.temperature)
    if described.kind != "sequence-classification":
        return Classifier(classifier)
    return Classifier(classifier, linear(weights, f"{stem}.pooler", hidden, hidden))


def _divided(linear: Linear, temperature: float) -> Linear:
    """A classifier whose logits are divided by its temperature, which its weights take in."""
    if temperature == 1:
        return linear
    by = np.float32(temperature)
    return replace(linear, read=lambda: linear.matrix / by, read_bias=lambda: _bias(linear) / by)


def _bias(linear: Linear) -> Vector:
    return np.zeros(linear.outputs, np.float32) if linear.bias is None else linear.bias
