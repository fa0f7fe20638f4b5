"""Heads: small graphs from hidden states [rows, hidden] to logits [rows, outputs]."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from qingyu.build.layers import Layers
from qingyu.build.parts import Linear, Norm, PostNorm, Vector
from qingyu.bundle import HeadKind, Problem, Unit
from qingyu.errors import CheckpointError
from qingyu.plan import Function, HeadPlan, Product

LEVELS: dict[str, HeadKind] = {"seq": "sequence-classification", "token": "token-classification"}
OWN_KINDS: tuple[HeadKind, ...] = (
    "sequence-classification", "token-classification", "embedding", "detection", "correction",
    "masked-lm",
)  # fmt: skip


class Readout(Protocol):
    """What a head makes of the rows that it reads."""

    def __call__(self, layers: Layers, hidden: str) -> str:
        """Write it; return its logits."""
        ...

    def plan(self, products: Mapping[str, Product]) -> HeadPlan | None:
        """What the manifest says of it, `products` by name as they were written; None where only
        its graph knows.
        """
        ...


@dataclass(frozen=True)
class Head:
    """A head found in a checkpoint, and how to write it: `write(layers, hidden)` -> logits.

    It reads the rows after shared layer `branch` (None: the encoder's end) through layers of its
    own. Heads of one `owner` share these, and a file of weights.
    """

    name: str
    kind: HeadKind
    labels: tuple[str, ...]
    write: Readout
    problem: Problem = "single_label"
    unit: Unit = "token"
    owner: str = ""
    branch: int | None = None
    layers: tuple[PostNorm, ...] = ()
    evidence: bool = False


@dataclass(frozen=True)
class MaskedLanguageModel:
    """activation(transform(h)), normalised, times the rows of a table, plus a bias a word.

    The table is the word embeddings', under the name that `tied_lookup` knows them by, or its own.
    """

    transform: Linear
    activation: Function
    norm: Norm
    table: Linear
    bias_name: str
    read_bias: Callable[[], Vector]

    def __call__(self, layers: Layers, hidden: str) -> str:
        x = layers.activated(hidden, self.transform, self.activation)
        x = layers.norm(x, self.norm)
        operand = layers.precision.operand(layers.graph, x, self.table.name)
        logits = operand.tied_product(self.table)
        return layers.graph.node("Add", logits, layers.graph.weight(self.bias_name, self.read_bias))

    def plan(self, products: Mapping[str, Product]) -> HeadPlan:
        output = replace(products[self.table.name], bias=self.bias_name)
        transform = products[self.transform.name]
        return HeadPlan((), transform, self.activation, self.norm.name, output)


@dataclass(frozen=True)
class Classifier:
    """classifier(activation(pooler(h))), or classifier(h) where there is no pooler; h itself where
    there is no classifier.
    """

    classifier: Linear | None
    pooler: Linear | None = None
    activation: Function = "tanh"

    def __call__(self, layers: Layers, hidden: str) -> str:
        if self.pooler is not None:
            hidden = layers.activated(hidden, self.pooler, self.activation)
        return hidden if self.classifier is None else layers.linear(hidden, self.classifier)

    def plan(self, products: Mapping[str, Product]) -> HeadPlan:
        output = None if self.classifier is None else products[self.classifier.name]
        if self.pooler is None:
            return HeadPlan(output=output)
        return HeadPlan((), products[self.pooler.name], self.activation, None, output)


@dataclass(frozen=True)
class Described:
    """A head as `heads.json` describes it; its tensors are `heads.<name>.*`, and those of its own
    layers `heads.<owner>.encoder.layer.<i>.*`.
    """

    kind: HeadKind
    labels: tuple[str, ...]
    branch: int | None
    owner: str
    temperature: float = 1.0
    evidence: bool = False

    @property
    def unit(self) -> Unit:
        """Such a head was trained with each character as a token of its own."""
        return "character" if self.kind == "token-classification" else "token"


def described_heads(folder: Path) -> dict[str, Described]:
    """Heads that a checkpoint carries beside its own, from its `heads.json`; none without one.

    The file maps a name to {"labels": [...], "level": "seq" | "token"}, or to {"labels": [...],
    "kind": one of OWN_KINDS, "branch": the shared layer it reads, "layers_of": the head whose own
    layers it reads too, if not its own, "temperature": what its logits are divided by,
    "evidence": true where what lies open in two texts is weighed beside it}. Raises
    CheckpointError.
    """
    path = folder / "heads.json"
    if not path.exists():
        return {}
    try:
        heads = json.loads(path.read_text("utf-8-sig"))
        return {name: _described(name, head) for name, head in heads.items()}
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} 应把名称对应到 labels 与 kind 或 level（seq 或 token）：{error}",
            f"{path} should map names to labels and a kind or level (seq or token): {error}",
        ) from error


def _described(name: str, head: dict[str, Any]) -> Described:
    kind = head["kind"] if "kind" in head else LEVELS[head["level"]]
    if kind not in OWN_KINDS:
        raise ValueError(f"kind {kind!r} of {name!r}")
    branch = head.get("branch")
    if branch is not None and (type(branch) is not int or branch < 1):
        raise ValueError(f"branch {branch!r} of {name!r}")
    if not name or Path(name).name != name or name.startswith("."):
        raise ValueError(f"name {name!r}")
    owner = head.get("layers_of", name)
    if type(owner) is not str or Path(owner).name != owner:
        raise ValueError(f"layers_of {owner!r}")
    temperature = float(head.get("temperature", 1.0))
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature {temperature} of {name!r}")
    evidence = head.get("evidence", False)
    if type(evidence) is not bool:
        raise ValueError(f"evidence {evidence!r} of {name!r}")
    labels = tuple(map(str, head["labels"]))
    return Described(kind, labels, branch, owner, temperature, evidence)
