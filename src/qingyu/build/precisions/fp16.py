"""FP16 and BF16: half the size on disk, computed in FP32.

CPUs without half-precision arithmetic of their own would only convert back and forth, so matrices
are widened once, as a session is made. Embedding tables stay half in memory, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qingyu.build.graph import Graph
from qingyu.build.parts import Linear, Vector
from qingyu.build.precisions.base import (
    OTHER,
    Operand,
    Origin,
    Precision,
    Span,
    float_product,
    gather,
    tell,
    tell_table,
)
from qingyu.errors import CheckpointError

LARGEST_FLOAT16 = 65504.0


class Half:
    """Weights of matrices and tables stored half, biases and norms whole."""

    compensates = False

    def __init__(self, kind: Literal["fp16", "bf16"]) -> None:
        self.name: str = kind
        self.kind: Literal["fp16", "bf16"] = kind

    def operand(self, graph: Graph, x: str, reader: str, origin: Origin = OTHER) -> Operand:
        del reader, origin
        return Halves(self, graph, x)

    def lookup(self, graph: Graph, ids: str, table: Linear) -> str:
        tell_table(graph, table, self.kind)
        return graph.cast(gather(graph, self.stored(graph, table), ids), np.float32)

    def tied_lookup(self, graph: Graph, ids: str, table: Linear) -> str:
        tell(graph, table, self.kind, "float")
        return graph.cast(gather(graph, self.stored(graph, table), ids), np.float32)

    def calibrated(self, ranges: Mapping[str, Vector]) -> Precision:
        del ranges
        return self

    def stored(self, graph: Graph, linear: Linear) -> str:
        """The matrix as a half-precision weight."""
        name = f"{linear.name}.weight"
        if not graph.holds(name):
            matrix = linear.matrix
            if self.kind == "bf16":
                graph.store(name, bfloat16(matrix), "BF16")
            elif matrix.size and np.abs(matrix).max() > LARGEST_FLOAT16:
                raise CheckpointError(
                    f"{linear.name} 中有超出 float16 范围的数，请改用 bf16。",
                    f"{linear.name} holds numbers beyond float16; use bf16.",
                )
            else:
                graph.store(name, matrix.astype(np.float16))
        return graph.weight(name)


class Halves:
    """An operand whose matrices are widened before they meet it."""

    def __init__(self, half: Half, graph: Graph, values: str) -> None:
        self.half = half
        self.graph = graph
        self.values = values

    def take(self, rows: str) -> Operand:
        return Halves(self.half, self.graph, gather(self.graph, self.values, rows))

    def product(self, linear: Linear, part: Span | None = None) -> str:
        tell(self.graph, linear, self.half.kind, "float")
        weight = self.graph.cast(self.half.stored(self.graph, linear), np.float32)
        return float_product(self.graph, self.values, weight, linear, part)

    def tied_product(self, table: Linear) -> str:
        return self.product(table)


def widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The float32 numbers whose upper halves these are."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper halves of float32 numbers, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.asarray(np.minimum(rounded, 0xFFFF), np.uint16)
