"""FP16 and BF16: half the size on disk, computed in FP32.

CPUs without half-precision arithmetic of their own would only convert back and forth, so matrices
are widened once, as a session is made. Embedding tables stay half in memory, too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from qingyu.build.graph import Graph
from qingyu.build.precisions.base import OTHER, Matrix, Operand, Origin, Precision, Vector
from qingyu.errors import CheckpointError

LARGEST_FLOAT16 = 65504.0


class Half:
    """Weights of matrices and tables stored half, biases and norms whole."""

    compensates = False

    def __init__(self, name: str, element: int) -> None:
        self.name = name
        self.element = element

    def operand(self, graph: Graph, x: str, origin: Origin = OTHER) -> Operand:
        del origin
        return Halves(self, graph, x)

    def lookup(self, graph: Graph, ids: str, name: str, table: Matrix) -> str:
        rows = graph.node("Gather", self.stored(graph, name, table), ids, axis=0)
        return graph.cast(rows, np.float32)

    def calibrated(self, ranges: Mapping[str, Vector]) -> Precision:
        del ranges
        return self

    def stored(self, graph: Graph, name: str, matrix: Matrix) -> str:
        """The matrix as a half-precision weight."""
        if self.element == TensorProto.BFLOAT16:
            return graph.weight(name, bfloat16(matrix), self.element)
        if matrix.size and np.abs(matrix).max() > LARGEST_FLOAT16:
            raise CheckpointError(
                f"{name} 中有超出 float16 范围的数，请改用 bf16。",
                f"{name} holds numbers beyond float16; use bf16.",
            )
        return graph.weight(name, matrix.astype(np.float16))


class Halves:
    """An operand whose matrices are widened before they meet it."""

    def __init__(self, half: Half, graph: Graph, values: str) -> None:
        self.half = half
        self.graph = graph
        self.values = values

    def take(self, rows: str) -> Operand:
        taken = self.graph.node("Gather", self.values, rows, axis=0)
        return Halves(self.half, self.graph, taken)

    def product(self, name: str, matrix: Matrix, bias: Vector | None = None) -> str:
        weight = self.graph.cast(self.half.stored(self.graph, name, matrix.T), np.float32)
        product = self.graph.node("MatMul", self.values, weight)
        if bias is None:
            return product
        return self.graph.node("Add", product, self.graph.weight(f"{name}.bias", bias))

    def tied_product(self, name: str, table: Matrix) -> str:
        weight = self.graph.cast(self.half.stored(self.graph, name, table), np.float32)
        return self.graph.node("Gemm", self.values, weight, transB=1)


def widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The float32 numbers whose upper halves these are."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper halves of float32 numbers, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.asarray(np.minimum(rounded, 0xFFFF), np.uint16)
