"""Heads: small graphs from hidden states [rows, hidden] to logits [rows, outputs]."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qingyu.build.layers import Layers, Linear, Norm
from qingyu.build.precisions.base import Matrix, Vector
from qingyu.bundle import HeadKind, Problem, Unit
from qingyu.errors import CheckpointError

LEVELS: dict[str, HeadKind] = {"seq": "sequence-classification", "token": "token-classification"}


@dataclass(frozen=True)
class Head:
    """A head found in a checkpoint, and how to write it: `write(layers, hidden)` -> logits."""

    name: str
    kind: HeadKind
    labels: tuple[str, ...]
    write: Callable[[Layers, str], str]
    problem: Problem = "single_label"
    unit: Unit = "token"


@dataclass(frozen=True)
class MaskedLanguageModel:
    """activation(transform(h)), normalised, times the rows of a table, plus a bias a word.

    The table is the word embeddings', under the name that `lookup` knows them by, or the head's.
    """

    transform: Linear
    activation: str
    norm: Norm
    table_name: str
    table: Matrix
    bias: Vector

    def __call__(self, layers: Layers, hidden: str) -> str:
        x = layers.activated(hidden, self.transform, self.activation)
        x = layers.norm(x, self.norm)
        operand = layers.precision.operand(layers.graph, x)
        logits = operand.tied_product(self.table_name, self.table)
        return layers.add(logits, "vocabulary.bias", self.bias)


@dataclass(frozen=True)
class Classifier:
    """classifier(activation(pooler(h))), or classifier(h) where there is no pooler."""

    classifier: Linear
    pooler: Linear | None = None
    activation: str = "tanh"

    def __call__(self, layers: Layers, hidden: str) -> str:
        if self.pooler is not None:
            hidden = layers.activated(hidden, self.pooler, self.activation)
        return layers.linear(hidden, self.classifier)


@dataclass(frozen=True)
class Described:
    """A head as `heads.json` describes it; its tensors are `heads.<name>.*`."""

    kind: HeadKind
    labels: tuple[str, ...]

    @property
    def unit(self) -> Unit:
        """Such a head was trained with each character as a token of its own."""
        return "character" if self.kind == "token-classification" else "token"


def described_heads(folder: Path) -> dict[str, Described]:
    """Heads that a checkpoint carries beside its own, from its `heads.json`; none without one.

    The file maps a name to {"labels": [...], "level": "seq" | "token"}. Raises CheckpointError.
    """
    path = folder / "heads.json"
    if not path.exists():
        return {}
    try:
        heads = json.loads(path.read_text("utf-8"))
        return {
            name: Described(LEVELS[head["level"]], tuple(map(str, head["labels"])))
            for name, head in heads.items()
        }
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} 应把名称对应到 labels 与 level（seq 或 token）：{error}",
            f"{path} should map names to labels and a level (seq or token): {error}",
        ) from error
