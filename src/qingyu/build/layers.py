"""The parts encoders are made of, written once for all families and precisions.

Sequences of a batch lie end to end: every matrix product sees only real tokens, [tokens, hidden].
Attention alone needs rectangles; there, `Layout` says which token stands in which cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qingyu.build.graph import Graph
from qingyu.build.precisions.base import OTHER, Matrix, Operand, Origin, Precision, Vector
from qingyu.build.precisions.registry import of_heads

ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "tanh")
FUNCTIONS = {"relu": "Relu", "tanh": "Tanh"}


@dataclass(frozen=True)
class Linear:
    """A matrix, float32 [outputs, inputs], and its bias [outputs], which T5 has none of."""

    name: str
    matrix: Matrix
    bias: Vector | None

    @property
    def outputs(self) -> int:
        return len(self.matrix)


@dataclass(frozen=True)
class Norm:
    """Layer normalisation: gain and bias [hidden]."""

    name: str
    gain: Vector
    bias: Vector
    epsilon: float


class Layout:
    """Graph inputs that lay a packed batch out (made by `qingyu.engine.batch`)."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.lengths = graph.cast(graph.input("lengths", np.int32, ["sequences"]), np.int64)
        self.grid = graph.input("grid", np.int64, ["sequences", "longest"])
        self.cells = graph.input("cells", np.int64, ["tokens"])
        self.rows = graph.input("rows", np.int64, ["rows"])
        self.row_grid = graph.input("row_grid", np.int64, ["sequences", "most_rows"])
        self.row_cells = graph.input("row_cells", np.int64, ["rows"])
        self._parts: dict[tuple[int, int], str] = {}

    def part(self, part: int, parts: int) -> str:
        """For each cell, the row of one part of its token: grid * parts + part."""
        if (part, parts) not in self._parts:
            first = self.graph.node("Mul", self.grid, self.graph.constant(parts, np.int64))
            row = self.graph.node("Add", first, self.graph.constant(part, np.int64))
            self._parts[part, parts] = row
        return self._parts[part, parts]


class Layers:
    """Writes layers into one graph at one precision, and remembers what made each value."""

    def __init__(
        self, graph: Graph, precision: Precision, origins: dict[str, Origin] | None = None
    ) -> None:
        self.graph = graph
        self.precision = precision
        self.origins = {} if origins is None else origins

    def closest(self) -> Layers:
        """The same graph, written at the precision that heads have."""
        return Layers(self.graph, of_heads(self.precision), self.origins)

    def operand(self, x: str) -> Operand:
        """`x` made ready for products; a precision may use what is known of it."""
        return self.precision.operand(self.graph, x, self.origins.get(x, OTHER))

    def add(self, x: str, name: str, vector: Vector) -> str:
        return self.graph.node("Add", x, self.graph.weight(name, vector))

    def norm(self, x: str, norm: Norm) -> str:
        # Not SkipLayerNormalization: its kernel costs three times this node and an Add.
        gain = self.graph.weight(f"{norm.name}.weight", norm.gain)
        bias = self.graph.weight(f"{norm.name}.bias", norm.bias)
        y = self.graph.node("LayerNormalization", x, gain, bias, epsilon=norm.epsilon)
        self.origins[y] = Origin("norm", norm.name)
        return y

    def scaled(self, x: str, norm: Norm) -> str:
        """MobileBERT's stand-in for a normalisation: a gain and a bias alone."""
        product = self.graph.node("Mul", x, self.graph.weight(f"{norm.name}.weight", norm.gain))
        return self.add(product, f"{norm.name}.bias", norm.bias)

    def linear(self, x: str, linear: Linear) -> str:
        return self.operand(x).product(linear.name, linear.matrix, linear.bias)

    def activated(self, x: str, linear: Linear, function: str) -> str:
        """`function(linear(x))`."""
        if function == "gelu":
            y = self.graph.node("Gelu", self.linear(x, linear))
            self.origins[y] = Origin("gelu")
            return y
        if function in ("gelu_new", "gelu_pytorch_tanh"):
            return self.graph.node("Gelu", self.linear(x, linear), approximate="tanh")
        return self.graph.node(FUNCTIONS[function], self.linear(x, linear))

    def residual(self, x: str, branch: str, linear: Linear, norm: Norm) -> str:
        """Post-norm residual: norm(x + linear(branch))."""
        return self.norm(self.graph.node("Add", self.linear(branch, linear), x), norm)

    def attention(
        self,
        x: str,
        query: Linear,
        key: Linear,
        value: Linear,
        heads: int,
        layout: Layout,
        only_rows: bool = False,
    ) -> str:
        """Multi-head attention of each sequence over itself, before its output projection.

        x: [tokens, hidden]. Queries are all tokens, giving [tokens, hidden], or with `only_rows`
        the requested ones, giving [rows, hidden].
        """
        graph = self.graph
        operand = self.operand(x)
        if only_rows:
            asked = operand.take(layout.rows).product(query.name, query.matrix, query.bias)
            q = graph.node("Gather", asked, layout.row_grid, axis=0)
            k, v = self.parted(operand, layout, key, value)
        else:
            q, k, v = self.parted(operand, layout, query, key, value)
        return self.attended((q, k, v), heads, layout, only_rows)

    def mixed(
        self,
        asked: str,
        source: str,
        query: Linear,
        key: Linear,
        value: Linear,
        heads: int,
        layout: Layout,
    ) -> str:
        """Attention whose queries and keys read other rows, `asked`, than its values, `source`."""
        q, k = self.parted(self.operand(asked), layout, query, key)
        (v,) = self.parted(self.operand(source), layout, value)
        return self.attended((q, k, v), heads, layout)

    def attended(
        self,
        parts: tuple[str, str, str],
        heads: int,
        layout: Layout,
        only_rows: bool = False,
        bias: str = "",
        scale: float | None = None,
    ) -> str:
        """softmax(q k * scale + bias) v of laid out queries, keys and values, back as rows.

        bias:  float32 [1, heads, longest, longest]
        scale: 1 / sqrt(width of a head) unless given
        """
        graph = self.graph
        # Not MultiHeadAttention: that kernel copies each head's rows together before it begins.
        mixed = graph.node(
            "Attention",
            *(*parts, bias, "", "", layout.lengths),
            q_num_heads=heads,
            kv_num_heads=heads,
            scale=scale,
        )
        cells = layout.row_cells if only_rows else layout.cells
        return graph.node("Gather", graph.node("Flatten", mixed, axis=2), cells, axis=0)

    def parted(self, operand: Operand, layout: Layout, *linears: Linear) -> list[str]:
        """Products of one operand as one, parted and laid out: each [sequences, longest, width].

        Row-major [tokens, parts * width] is also [tokens * parts, width], where part i of token t
        is row t * parts + i: one Gather parts and lays out, and nothing else is copied.
        """
        graph, parts = self.graph, len(linears)
        biases = [linear.bias for linear in linears if linear.bias is not None]
        product = operand.product(
            f"{linears[0].name}.stacked",
            np.concatenate([linear.matrix for linear in linears]),
            np.concatenate(biases) if biases else None,
        )
        flat = graph.node("Reshape", product, graph.constant([-1, linears[0].outputs], np.int64))
        return [graph.node("Gather", flat, layout.part(i, parts), axis=0) for i in range(parts)]
