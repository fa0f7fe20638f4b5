"""The layers that encoders are made of, written once for all families and precisions.

Sequences of a batch lie end to end: every matrix product sees only real tokens, [tokens, hidden].
Attention alone needs rectangles; there, `Layout` says which token stands in which cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from qingyu.build.graph import Graph
from qingyu.build.parts import Linear, Norm, PostNorm, Vector
from qingyu.build.precisions.base import OTHER, Operand, Origin, Precision
from qingyu.build.precisions.registry import of_heads
from qingyu.plan import Function

ACTIVATIONS: dict[str, Function] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "tanh": "tanh",
}
"""What checkpoints call the functions that a plan knows."""
OPERATORS = {"relu": "Relu", "tanh": "Tanh"}


class Layout:
    """Graph inputs that lay a packed batch out (made by `qingyu.engine.batch`), each an input only
    where something reads it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._parts: dict[tuple[int, int], str] = {}

    @cached_property
    def lengths(self) -> str:
        return self.graph.cast(self.graph.input("lengths", np.int32, ["sequences"]), np.int64)

    @cached_property
    def grid(self) -> str:
        return self.graph.input("grid", np.int64, ["sequences", "longest"])

    @cached_property
    def cells(self) -> str:
        return self.graph.input("cells", np.int64, ["tokens"])

    @cached_property
    def rows(self) -> str:
        return self.graph.input("rows", np.int64, ["rows"])

    @cached_property
    def row_grid(self) -> str:
        return self.graph.input("row_grid", np.int64, ["sequences", "most_rows"])

    @cached_property
    def row_cells(self) -> str:
        return self.graph.input("row_cells", np.int64, ["rows"])

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

    def operand(self, x: str, reader: str) -> Operand:
        """`x` made ready for the product `reader`; a precision may use what is known of it."""
        return self.precision.operand(self.graph, x, reader, self.origins.get(x, OTHER))

    def add(self, x: str, name: str, vector: Vector) -> str:
        return self.graph.node("Add", x, self.graph.weight(name, lambda: vector))

    def norm(self, x: str, norm: Norm) -> str:
        # Not SkipLayerNormalization: its kernel costs three times this node and an Add.
        gain = self.graph.weight(f"{norm.name}.weight", lambda: norm.gain)
        bias = self.graph.weight(f"{norm.name}.bias", lambda: norm.bias)
        y = self.graph.node("LayerNormalization", x, gain, bias, epsilon=norm.epsilon)
        self.origins[y] = Origin("norm", norm.name)
        return y

    def scaled(self, x: str, norm: Norm) -> str:
        """MobileBERT's stand-in for a normalisation: a gain and a bias alone."""
        gain = self.graph.weight(f"{norm.name}.weight", lambda: norm.gain)
        bias = self.graph.weight(f"{norm.name}.bias", lambda: norm.bias)
        return self.graph.node("Add", self.graph.node("Mul", x, gain), bias)

    def linear(self, x: str, linear: Linear) -> str:
        return self.operand(x, linear.name).product(linear)

    def activated(self, x: str, linear: Linear, function: Function) -> str:
        """`function(linear(x))`."""
        if function == "gelu":
            y = self.graph.node("Gelu", self.linear(x, linear))
            self.origins[y] = Origin("gelu")
            return y
        if function == "gelu_tanh":
            return self.graph.node("Gelu", self.linear(x, linear), approximate="tanh")
        return self.graph.node(OPERATORS[function], self.linear(x, linear))

    def residual(self, x: str, branch: str, linear: Linear, norm: Norm) -> str:
        """Post-norm residual: norm(x + linear(branch))."""
        return self.norm(self.graph.node("Add", self.linear(branch, linear), x), norm)

    def post_norm(
        self,
        x: str,
        layer: PostNorm,
        heads: int,
        activation: Function,
        layout: Layout,
        last: bool,
        shared: bool = False,
    ) -> str:
        """[tokens, hidden] to the same; the last layer to [rows, hidden].

        One that `shared` its weights with others multiplies all tokens even when last, for they
        are stored in one form only.
        """
        only_rows = last and not shared
        mixed = self.attention(x, layer.qkv, heads, layout, only_rows)
        if last:
            x = self.graph.node("Gather", x, layout.rows, axis=0)
            if not only_rows:
                mixed = self.graph.node("Gather", mixed, layout.rows, axis=0)
        x = self.residual(x, mixed, layer.attended, layer.attended_norm)
        inner = self.activated(x, layer.inner, activation)
        return self.residual(x, inner, layer.outer, layer.outer_norm)

    def own_layers(
        self,
        x: str,
        own: Sequence[PostNorm],
        heads: int,
        activation: Function,
        layout: Layout,
    ) -> str:
        """A head's own layers: [tokens, hidden] to [rows, hidden]."""
        for index, layer in enumerate(own):
            last = index == len(own) - 1
            written = self.closest() if last else self
            x = written.post_norm(x, layer, heads, activation, layout, last)
        return x

    def attention(
        self, x: str, qkv: Linear, heads: int, layout: Layout, only_rows: bool = False
    ) -> str:
        """Multi-head attention of each sequence over itself, before its output projection.

        x: [tokens, hidden]. Queries are all tokens, giving [tokens, hidden], or with `only_rows`
        the requested ones, giving [rows, hidden].
        """
        operand, width = self.operand(x, qkv.name), qkv.outputs // 3
        if only_rows:
            asked = operand.take(layout.rows).product(qkv, (0, width))
            q = self.graph.node("Gather", asked, layout.row_grid, axis=0)
            k, v = self.parted(operand.product(qkv, (width, 3 * width)), width, 2, layout)
        else:
            q, k, v = self.parted(operand.product(qkv), width, 3, layout)
        return self.attended((q, k, v), heads, layout, only_rows)

    def mixed(
        self, asked: str, source: str, query_key: Linear, value: Linear, heads: int, layout: Layout
    ) -> str:
        """Attention whose queries and keys read other rows, `asked`, than its values, `source`."""
        width = value.outputs
        q, k = self.parted(self.linear(asked, query_key), width, 2, layout)
        (v,) = self.parted(self.linear(source, value), width, 1, layout)
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

    def parted(self, product: str, width: int, parts: int, layout: Layout) -> list[str]:
        """A product [tokens, parts * width], parted and laid out: each [sequences, longest, width].

        Row-major, it is also [tokens * parts, width], where part i of token t is row t * parts + i:
        one Gather parts and lays out, and nothing else is copied.
        """
        graph = self.graph
        flat = graph.node("Reshape", product, graph.constant([-1, width], np.int64))
        return [graph.node("Gather", flat, layout.part(i, parts), axis=0) for i in range(parts)]
