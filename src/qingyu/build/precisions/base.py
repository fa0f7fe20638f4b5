"""How a layer's arithmetic is written: one pair of classes a precision, same methods.

A family describes its network with these few operations and never asks which precision it is.
Matrices come as checkpoints have them, float32 [outputs, inputs].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from qingyu.build.graph import Graph

Matrix = NDArray[np.float32]
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Origin:
    """What made a value, as far as it tells how large its numbers can be."""

    kind: Literal["norm", "gelu", "other"] = "other"
    name: str = ""


OTHER = Origin()


class Operand(Protocol):
    """Rows of activations [n, inputs], made ready once for any number of matrix products."""

    def take(self, rows: str) -> Operand:
        """The operand's rows at the indices `rows` (int64 [m])."""
        ...

    def product(self, name: str, matrix: Matrix, bias: Vector | None = None) -> str:
        """`x @ matrix.T + bias`, float32 [n, outputs]."""
        ...

    def tied_product(self, name: str, table: Matrix) -> str:
        """`x @ table.T` with the very tensor that `lookup` reads under `name`, stored once."""
        ...


class Precision(Protocol):
    name: str
    compensates: bool  # whether it wants to know how the inputs of a matrix go together

    def operand(self, graph: Graph, x: str, origin: Origin = OTHER) -> Operand: ...

    def lookup(self, graph: Graph, ids: str, name: str, table: Matrix) -> str:
        """Rows `ids` (int64 [n]) of `table`, float32 [n, columns]."""
        ...

    def calibrated(self, ranges: Mapping[str, Vector]) -> Precision:
        """This precision, knowing the largest magnitude of each channel of named norms."""
        ...


def gather(graph: Graph, table: str, rows: str) -> str:
    return graph.node("Gather", table, rows, axis=0)


def biased(graph: Graph, x: str, name: str, bias: Vector | None) -> str:
    return x if bias is None else graph.node("Add", x, graph.weight(name, bias))
