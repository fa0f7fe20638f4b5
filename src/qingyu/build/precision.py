"""How a layer's arithmetic is written: one pair of classes a precision, same methods.

A family describes its network with these few operations and never asks which precision it is.
Matrices come as checkpoints have them, float32 [outputs, inputs].
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qingyu.build.graph import Graph
from qingyu.build.quantise import INT8_LIMIT, int8_rows

Matrix = NDArray[np.float32]

SMALLEST_MAGNITUDE = 1e-6  # a row of zeros must not divide by zero


class Operand(Protocol):
    """Rows of activations [n, inputs], made ready once for any number of matrix products."""

    def take(self, rows: str) -> Operand:
        """The operand's rows at the indices `rows` (int64 [m])."""
        ...

    def product(self, name: str, matrix: Matrix) -> str:
        """`x @ matrix.T`, float32 [n, outputs]; adding a bias is the caller's."""
        ...

    def tied_product(self, name: str, table: Matrix) -> str:
        """`x @ table.T` with the very tensor that `lookup` reads under `name`, stored once."""
        ...


class Precision(Protocol):
    name: str

    def operand(self, graph: Graph, x: str) -> Operand: ...

    def lookup(self, graph: Graph, ids: str, name: str, table: Matrix) -> str:
        """Rows `ids` (int64 [n]) of `table`, float32 [n, columns]."""
        ...


class Float32:
    """Weights as they are: the reference every other precision is measured against."""

    name = "fp32"

    def operand(self, graph: Graph, x: str) -> Operand:
        return Floats(graph, x)

    def lookup(self, graph: Graph, ids: str, name: str, table: Matrix) -> str:
        return _gather(graph, graph.weight(name, table), ids)


class Floats:
    """An operand that needs no preparation."""

    def __init__(self, graph: Graph, values: str) -> None:
        self.graph = graph
        self.values = values

    def take(self, rows: str) -> Operand:
        return Floats(self.graph, _gather(self.graph, self.values, rows))

    def product(self, name: str, matrix: Matrix) -> str:
        weight = self.graph.weight(name, matrix.T)
        return self.graph.node("MatMul", self.values, weight)

    def tied_product(self, name: str, table: Matrix) -> str:
        # Gemm reads the table transposed where it lies; Transpose would be folded into a copy.
        weight = self.graph.weight(name, table)
        return self.graph.node("Gemm", self.values, weight, transB=1)


class Int8:
    """INT8 weights, one scale an output channel; INT8 activations, one scale a row.

    A row's scale comes from that row alone, so an answer cannot depend on what it was batched
    with, as it does under ONNX Runtime's own dynamic quantisation (one scale a tensor).
    """

    name = "int8"

    def operand(self, graph: Graph, x: str) -> Operand:
        axes = graph.constant([-1], np.int64)
        magnitude = graph.node("ReduceMax", graph.node("Abs", x), axes, keepdims=1)
        magnitude = graph.node("Max", magnitude, graph.constant(SMALLEST_MAGNITUDE, np.float32))
        values = graph.node(
            "QuantizeLinear",
            graph.node("Div", x, magnitude),
            graph.constant(1 / INT8_LIMIT, np.float32),
            graph.constant(128, np.uint8),
        )
        return Bytes(graph, values, magnitude)

    def lookup(self, graph: Graph, ids: str, name: str, table: Matrix) -> str:
        quantised, scale = int8_rows(table)
        rows = _gather(graph, graph.weight(name, quantised), ids)
        scales = _gather(graph, graph.weight(f"{name}.scale", scale[:, None]), ids)
        return graph.node("Mul", graph.cast(rows, np.float32), scales)


class Bytes:
    """Rows of unsigned bytes around 128 (uint8 [n, inputs]) and their magnitudes [n, 1]."""

    def __init__(self, graph: Graph, values: str, magnitude: str) -> None:
        self.graph = graph
        self.values = values
        self.magnitude = magnitude

    def take(self, rows: str) -> Operand:
        values = _gather(self.graph, self.values, rows)
        return Bytes(self.graph, values, _gather(self.graph, self.magnitude, rows))

    def product(self, name: str, matrix: Matrix) -> str:
        quantised, scale = int8_rows(matrix)
        weight = self.graph.weight(name, quantised.T)
        return self._multiply(weight, self.graph.weight(f"{name}.scale", scale))

    def tied_product(self, name: str, table: Matrix) -> str:
        quantised, scale = int8_rows(table)
        # Folded as the session is made; the kernel packs the result and lets the copy go.
        weight = self.graph.node("Transpose", self.graph.weight(name, quantised), perm=[1, 0])
        column = self.graph.weight(f"{name}.scale", scale[:, None])
        scales = self.graph.node("Squeeze", column, self.graph.constant([1], np.int64))
        return self._multiply(weight, scales)

    def _multiply(self, weight: str, scale: str) -> str:
        product = self.graph.microsoft(
            "MatMulIntegerToFloat",
            self.values,
            weight,
            self.graph.constant(1 / INT8_LIMIT, np.float32),
            scale,
            self.graph.constant(128, np.uint8),
        )
        return self.graph.node("Mul", product, self.magnitude)


PRECISIONS: dict[str, Precision] = {kind.name: kind for kind in (Float32(), Int8())}


def _gather(graph: Graph, table: str, rows: str) -> str:
    return graph.node("Gather", table, rows, axis=0)
