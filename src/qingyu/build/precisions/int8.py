"""INT8: one scale an output channel of a weight, one a row or a channel of activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

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
from qingyu.build.precisions.quantise import (
    GELU_FLOOR,
    INT8_LIMIT,
    UINT8_LIMIT,
    channel_steps,
    int8_rows,
)

SMALLEST_MAGNITUDE = 1e-6  # a row of zeros must not divide by zero


class Int8:
    """INT8 weights, one scale an output channel; INT8 activations that know no neighbours.

    An answer must not depend on what it was batched with, as it does under ONNX Runtime's own
    dynamic quantisation (one scale a tensor). So what a norm gives out, which is bounded, has
    fixed steps, one a channel, taken from sample texts; everything else has one a row, from
    that row alone.
    """

    compensates = False

    def __init__(
        self,
        ranges: Mapping[str, Vector] | None = None,
        name: str = "int8",
        limit: int = INT8_LIMIT,
    ) -> None:
        self.ranges = ranges or {}
        self.name = name
        self.limit = limit  # the largest weight, in steps

    def calibrated(self, ranges: Mapping[str, Vector]) -> Precision:
        return Int8(ranges, self.name, self.limit)

    def operand(self, graph: Graph, x: str, origin: Origin = OTHER) -> Operand:
        if origin.name in self.ranges:
            return self._fixed(graph, x, self.ranges[origin.name])
        if origin.kind == "gelu":
            return self._above_floor(graph, x)
        return self._symmetric(graph, x)

    def lookup(self, graph: Graph, ids: str, name: str, table: Matrix) -> str:
        quantised, scale = int8_rows(table, self.limit)
        rows = gather(graph, graph.weight(name, quantised), ids)
        scales = gather(graph, graph.weight(f"{name}.scale", scale[:, None]), ids)
        return graph.node("Mul", graph.cast(rows, np.float32), scales)

    def _fixed(self, graph: Graph, x: str, largest: Vector) -> Operand:
        steps = channel_steps(largest)
        scaled = graph.node("Mul", x, graph.constant(1 / steps, np.float32))
        values = _bytes(graph, scaled, step=1, zero=128)
        return Bytes(graph, values, self.limit, step=1, zero=128, channels=steps)

    def _symmetric(self, graph: Graph, x: str) -> Operand:
        largest = _row_max(graph, graph.node("Abs", x))
        magnitude = graph.node("Max", largest, graph.constant(SMALLEST_MAGNITUDE, np.float32))
        values = _bytes(graph, graph.node("Div", x, magnitude), step=1 / INT8_LIMIT, zero=128)
        step = 1 / INT8_LIMIT
        return Bytes(graph, values, self.limit, step=step, zero=128, magnitude=magnitude)

    def _above_floor(self, graph: Graph, x: str) -> Operand:
        """GELU never falls below its floor: all of the byte's range goes to what is above."""
        raised = graph.node("Add", x, graph.constant(-GELU_FLOOR, np.float32))
        # Never zero, since what is raised never is; the quantiser divides, with a step a row.
        largest = _row_max(graph, raised)
        steps = graph.node("Mul", largest, graph.constant(1 / UINT8_LIMIT, np.float32))
        flat = graph.node("Squeeze", steps, graph.constant([1], np.int64))
        values = graph.node("QuantizeLinear", raised, flat, axis=0)
        return Bytes(graph, values, self.limit, step=1, zero=0, magnitude=steps, floor=GELU_FLOOR)


@dataclass(frozen=True)
class Bytes:
    """Rows of bytes, uint8 [n, inputs], standing for
    ((values - zero) * step * magnitude + floor) * channels.

    magnitude: float32 [n, 1], a row's own, where the operand is scaled by rows
    limit:     the largest weight they may meet, in steps
    channels:  float32 [inputs], fixed steps, taken into the weights when the graph is written
    """

    graph: Graph
    values: str
    limit: int
    step: float
    zero: int
    magnitude: str = ""
    floor: float = 0.0
    channels: Vector | None = None

    def take(self, rows: str) -> Operand:
        magnitude = self.magnitude and gather(self.graph, self.magnitude, rows)
        values = gather(self.graph, self.values, rows)
        return replace(self, values=values, magnitude=magnitude)

    def product(self, name: str, matrix: Matrix, bias: Vector | None = None) -> str:
        if self.channels is not None:
            matrix = matrix * self.channels
        quantised, scale = int8_rows(matrix, self.limit)
        bias_name = f"{name}.bias"
        if self.floor:  # x @ W = (x - floor) @ W + floor * sum(W), and that is a bias
            rest = self.floor * scale * quantised.sum(axis=1, dtype=np.float32)
            bias = rest if bias is None else bias + rest
            bias_name = f"{name}.raised_bias"
        weight = self.graph.weight(name, quantised.T)
        scales = self.graph.weight(f"{name}.scale", scale)
        return self._multiply(weight, scales, bias_name, bias)

    def tied_product(self, name: str, table: Matrix) -> str:
        if self.channels is not None:
            raise ValueError("a shared table cannot take the steps of one operand in")
        quantised, scale = int8_rows(table, self.limit)
        # Folded as the session is made; the kernel packs the result and lets the copy go.
        weight = self.graph.node("Transpose", self.graph.weight(name, quantised), perm=[1, 0])
        column = self.graph.weight(f"{name}.scale", scale[:, None])
        scales = self.graph.node("Squeeze", column, self.graph.constant([1], np.int64))
        return self._multiply(weight, scales)

    def _multiply(
        self, weight: str, scale: str, bias_name: str = "", bias: Vector | None = None
    ) -> str:
        inputs = [
            self.values,
            weight,
            self.graph.constant(self.step, np.float32),
            scale,
            self.graph.constant(self.zero, np.uint8),
        ]
        if self.magnitude:
            product = self.graph.microsoft("MatMulIntegerToFloat", *inputs)
            product = self.graph.node("Mul", product, self.magnitude)
            return biased(self.graph, product, bias_name, bias)
        if bias is not None:
            inputs += ["", self.graph.weight(bias_name, bias)]
        return self.graph.microsoft("MatMulIntegerToFloat", *inputs)


def _row_max(graph: Graph, x: str) -> str:
    """Largest number of each row, [n, 1]."""
    return graph.node("ReduceMax", x, graph.constant([-1], np.int64), keepdims=1)


def _bytes(graph: Graph, x: str, step: float, zero: int) -> str:
    return graph.node(
        "QuantizeLinear",
        x,
        graph.constant(step, np.float32),
        graph.constant(zero, np.uint8),
    )
