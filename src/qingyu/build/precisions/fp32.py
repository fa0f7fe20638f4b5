"""FP32: weights as they are."""

from __future__ import annotations

from collections.abc import Mapping

from qingyu.build.graph import Graph
from qingyu.build.precisions.base import (
    OTHER,
    Matrix,
    Operand,
    Origin,
    Precision,
    Vector,
    biased,
    gather,
)


class Float32:
    """Weights as they are: the reference every other precision is measured against."""

    name = "fp32"
    compensates = False

    def operand(self, graph: Graph, x: str, origin: Origin = OTHER) -> Operand:
        del origin
        return Floats(graph, x)

    def lookup(self, graph: Graph, ids: str, name: str, table: Matrix) -> str:
        return gather(graph, graph.weight(name, table), ids)

    def calibrated(self, ranges: Mapping[str, Vector]) -> Precision:
        del ranges
        return self


class Floats:
    """An operand that needs no preparation."""

    def __init__(self, graph: Graph, values: str) -> None:
        self.graph = graph
        self.values = values

    def take(self, rows: str) -> Operand:
        return Floats(self.graph, gather(self.graph, self.values, rows))

    def product(self, name: str, matrix: Matrix, bias: Vector | None = None) -> str:
        product = self.graph.node("MatMul", self.values, self.graph.weight(name, matrix.T))
        return biased(self.graph, product, f"{name}.bias", bias)

    def tied_product(self, name: str, table: Matrix) -> str:
        # Gemm reads the table transposed where it lies; Transpose would be folded into a copy.
        weight = self.graph.weight(name, table)
        return self.graph.node("Gemm", self.values, weight, transB=1)
