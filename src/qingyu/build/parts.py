"""What a network is made of: matrices, tables and norms, read when they are written.

Each is known by the name that its tensors have in a bundle. What a bundle holds already is never
read again, so graphs can be written anew without the checkpoint behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import BuildError
from qingyu.plan import LayerPlan, Product

Matrix: TypeAlias = NDArray[np.float32]
Vector: TypeAlias = NDArray[np.float32]


def unread() -> Vector:
    """Stands for numbers that lie in the bundle already."""
    raise BuildError("模型包缺少要写入的权重。", "The bundle lacks a weight that is to be written.")


@dataclass(frozen=True)
class Linear:
    """y = x W^T + b: W float32 [outputs, inputs], b [outputs] or none. A table is one, too."""

    name: str
    outputs: int
    inputs: int
    read: Callable[[], Matrix] = unread
    read_bias: Callable[[], Vector] | None = None

    @property
    def bias_name(self) -> str | None:
        return None if self.read_bias is None else f"{self.name}.bias"

    @cached_property
    def matrix(self) -> Matrix:
        return self.read()

    @cached_property
    def bias(self) -> Vector | None:
        return None if self.read_bias is None else self.read_bias()

    @classmethod
    def stored(cls, product: Product) -> Linear:
        """One whose tensors a bundle holds."""
        bias = None if product.bias is None else unread
        return cls(product.name, product.outputs, product.inputs, unread, bias)

    @classmethod
    def stacked(cls, name: str, parts: Sequence[Linear]) -> Linear:
        """Several of the same inputs as one, their outputs one after another."""

        def biases() -> Vector:
            return np.concatenate([part.read_bias() for part in parts if part.read_bias])

        return cls(
            name,
            sum(part.outputs for part in parts),
            parts[0].inputs,
            lambda: np.concatenate([part.read() for part in parts]),
            biases if parts[0].read_bias else None,
        )


@dataclass(frozen=True)
class Norm:
    """Layer normalisation: gain and bias [width]."""

    name: str
    epsilon: float
    read: Callable[[], Vector] = unread
    read_bias: Callable[[], Vector] = unread

    @cached_property
    def gain(self) -> Vector:
        return self.read()

    @cached_property
    def bias(self) -> Vector:
        return self.read_bias()


@dataclass(frozen=True)
class PostNorm:
    """One layer: attention and two matrices with an activation between, each added and normalised.

    Vaswani et al. 2017 (arXiv:1706.03762).
    """

    qkv: Linear
    attended: Linear
    attended_norm: Norm
    inner: Linear
    outer: Linear
    outer_norm: Norm

    @classmethod
    def stored(cls, plan: LayerPlan, epsilon: float) -> PostNorm:
        """One whose tensors a bundle holds."""
        return cls(
            Linear.stored(plan.qkv),
            Linear.stored(plan.attended),
            Norm(plan.attended_norm, epsilon),
            Linear.stored(plan.inner),
            Linear.stored(plan.outer),
            Norm(plan.outer_norm, epsilon),
        )

    def plan(self, products: dict[str, Product]) -> LayerPlan:
        """What the manifest says of it, `products` by name as they were written."""
        return LayerPlan(
            products[self.qkv.name],
            products[self.attended.name],
            self.attended_norm.name,
            products[self.inner.name],
            products[self.outer.name],
            self.outer_norm.name,
        )
