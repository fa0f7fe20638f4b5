"""The interface of a precision: how matrix products and lookups are written into a graph.

A family describes its network with these few operations and never asks which precision it is.
What is written is told in the graph's `products` and `tables`; tensors are named and laid out as
`docs/bundle-format.md` says, and what the graph's files hold already is taken from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from qingyu.build.graph import Graph
from qingyu.build.parts import Linear, Vector
from qingyu.plan import InputKind, Product, Table, WeightKind

Span: TypeAlias = tuple[int, int]
"""Outputs of a product, from the first to before the second."""


@dataclass(frozen=True)
class Origin:
    """Which operation produced a value, as far as that bounds its range."""

    kind: Literal["norm", "gelu", "other"] = "other"
    name: str = ""


OTHER = Origin()


class Operand(Protocol):
    """Rows of activations [n, inputs], made ready once for the products that read them."""

    def take(self, rows: str) -> Operand:
        """The operand's rows at the indices `rows` (int64 [m])."""
        ...

    def product(self, linear: Linear, part: Span | None = None) -> str:
        """`x @ matrix.T + bias`, float32 [n, outputs], or of the outputs in `part` alone."""
        ...

    def tied_product(self, table: Linear) -> str:
        """`x @ table.T` with the very tensor that `tied_lookup` reads, stored once."""
        ...


class Precision(Protocol):
    name: str
    compensates: bool  # whether it wants to know how the inputs of a matrix go together

    def operand(self, graph: Graph, x: str, reader: str, origin: Origin = OTHER) -> Operand:
        """`x` made ready for the product called `reader`."""
        ...

    def lookup(self, graph: Graph, ids: str, table: Linear) -> str:
        """Rows `ids` (int64 [n]) of a table that is only looked up, float32 [n, inputs]."""
        ...

    def tied_lookup(self, graph: Graph, ids: str, table: Linear) -> str:
        """The same of a table that is multiplied, too."""
        ...

    def calibrated(self, ranges: Mapping[str, Vector]) -> Precision:
        """This precision, knowing the largest magnitude of each channel of named norms."""
        ...


def gather(graph: Graph, table: str, rows: str) -> str:
    return graph.node("Gather", table, rows, axis=0)


def tell(graph: Graph, linear: Linear, weight: WeightKind, kind: InputKind) -> None:
    """Note a product for the plan."""
    graph.products[linear.name] = Product(
        linear.name, linear.outputs, linear.inputs, weight, kind, linear.bias_name
    )


def tell_table(graph: Graph, table: Linear, weight: WeightKind) -> None:
    """Note a table that is only looked up for the plan."""
    graph.tables[table.name] = Table(table.name, table.outputs, table.inputs, weight)


def bias_of(graph: Graph, linear: Linear, part: Span | None) -> str:
    """The bias, or that of some outputs; "" where there is none."""
    if linear.bias_name is None:
        return ""
    return graph.cut(graph.weight(linear.bias_name, linear.read_bias), part)


def float_product(
    graph: Graph, x: str, weight: str, linear: Linear, part: Span | None = None
) -> str:
    """`x @ weight.T + bias` of float32 weights [outputs, inputs], which Gemm reads as they lie."""
    bias = bias_of(graph, linear, part)
    inputs = [x, graph.cut(weight, part), *([bias] if bias else [])]
    return graph.node("Gemm", *inputs, transB=1)
