"""FP32: weights as they are."""

from __future__ import annotations

from collections.abc import Mapping

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


class Float32:
    """Weights as they are: the reference every other precision is measured against."""

    name = "fp32"
    compensates = False

    def operand(self, graph: Graph, x: str, reader: str, origin: Origin = OTHER) -> Operand:
        del reader, origin
        return Floats(graph, x)

    def lookup(self, graph: Graph, ids: str, table: Linear) -> str:
        tell_table(graph, table, "fp32")
        return gather(graph, _weight(graph, table), ids)

    def tied_lookup(self, graph: Graph, ids: str, table: Linear) -> str:
        tell(graph, table, "fp32", "float")
        return gather(graph, _weight(graph, table), ids)

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

    def product(self, linear: Linear, part: Span | None = None) -> str:
        tell(self.graph, linear, "fp32", "float")
        weight = _weight(self.graph, linear)
        return float_product(self.graph, self.values, weight, linear, part)

    def tied_product(self, table: Linear) -> str:
        return self.product(table)


def _weight(graph: Graph, linear: Linear) -> str:
    return graph.weight(f"{linear.name}.weight", lambda: linear.matrix)
