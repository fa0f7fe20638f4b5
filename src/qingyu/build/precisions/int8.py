"""INT8: one scale an output channel of a weight, one a row or a channel of activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from qingyu.build.graph import Graph
from qingyu.build.parts import Linear, Vector
from qingyu.build.precisions.base import (
    OTHER,
    Operand,
    Origin,
    Precision,
    Span,
    bias_of,
    gather,
    tell,
    tell_table,
)
from qingyu.build.precisions.quantise import INT8_LIMIT, UINT8_LIMIT, channel_steps, int8_rows
from qingyu.plan import GELU_FLOOR, SMALLEST_MAGNITUDE, InputKind
from qingyu.tensors import COLUMNS, ROWS, pack_int8


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

    def operand(self, graph: Graph, x: str, reader: str, origin: Origin = OTHER) -> Operand:
        if origin.name in self.ranges:
            return self._fixed(graph, x, reader, self.ranges[origin.name])
        if origin.kind == "gelu":
            return self._above_floor(graph, x)
        return self._by_rows(graph, x)

    def lookup(self, graph: Graph, ids: str, table: Linear) -> str:
        tell_table(graph, table, "int8")
        name = f"{table.name}.weight"
        if not graph.holds(name):
            quantised, scale = int8_rows(table.matrix, self.limit)
            graph.store(name, quantised)
            graph.store(f"{name}_scale", scale)
        return self._scaled(graph, gather(graph, graph.weight(name), ids), ids, table)

    def tied_lookup(self, graph: Graph, ids: str, table: Linear) -> str:
        """The packed table as groups of COLUMNS bytes: those of a row stand ROWS groups apart."""
        tell(graph, table, "int8", "row")
        if not graph.holds(f"{table.name}.weight"):
            store_packed(graph, table, table.matrix, self.limit)
        across = _up(table.inputs, COLUMNS) // COLUMNS
        block = graph.node("Div", ids, graph.constant(ROWS, np.int64))
        skipped = graph.node("Mul", block, graph.constant((across - 1) * ROWS, np.int64))
        first = graph.node("Add", ids, skipped)
        first = graph.node("Unsqueeze", first, graph.constant([1], np.int64))
        places = graph.node("Add", first, graph.constant(np.arange(across) * ROWS, np.int64))
        height = _up(table.outputs, ROWS) * across
        groups = graph.weight(f"{table.name}.weight", shape=[height, COLUMNS])
        rows = gather(graph, groups, places)
        rows = graph.node("Reshape", rows, graph.constant([-1, across * COLUMNS], np.int64))
        rows = graph.cut(rows, None, _unless_whole(table.inputs, COLUMNS))
        return self._scaled(graph, rows, ids, table)

    def _scaled(self, graph: Graph, rows: str, ids: str, table: Linear) -> str:
        column = graph.weight(f"{table.name}.weight_scale", shape=[table.outputs, 1])
        return graph.node("Mul", graph.cast(rows, np.float32), gather(graph, column, ids))

    def _fixed(self, graph: Graph, x: str, reader: str, largest: Vector) -> Operand:
        steps = graph.weight(f"{reader}.input_scale", lambda: channel_steps(largest))
        # 1 / steps, folded at load; written so, for of 1 / steps * x ONNX Runtime makes x / steps.
        inverse = graph.node("Neg", graph.node("Div", graph.constant(-1, np.float32), steps))
        values = _bytes(graph, graph.node("Mul", x, inverse), step=1, zero=128)
        return Bytes(graph, values, self.limit, "fixed", step=1, zero=128, largest=largest)

    def _by_rows(self, graph: Graph, x: str) -> Operand:
        largest = _row_max(graph, graph.node("Abs", x))
        magnitude = graph.node("Max", largest, graph.constant(SMALLEST_MAGNITUDE, np.float32))
        step = 1 / INT8_LIMIT
        values = _bytes(graph, graph.node("Div", x, magnitude), step=step, zero=128)
        return Bytes(graph, values, self.limit, "row", step=step, zero=128, magnitude=magnitude)

    def _above_floor(self, graph: Graph, x: str) -> Operand:
        """GELU never falls below its floor: all of the byte's range goes to what is above."""
        raised = graph.node("Add", x, graph.constant(-GELU_FLOOR, np.float32))
        # Never zero, since what is raised never is; the quantiser divides, with a step a row.
        largest = _row_max(graph, raised)
        steps = graph.node("Mul", largest, graph.constant(1 / UINT8_LIMIT, np.float32))
        flat = graph.node("Squeeze", steps, graph.constant([1], np.int64))
        values = graph.node("QuantizeLinear", raised, flat, axis=0)
        return Bytes(graph, values, self.limit, "floor", step=1, zero=0, magnitude=steps)


@dataclass(frozen=True)
class Bytes:
    """Rows of bytes, uint8 [n, inputs], standing for (values - zero) * step * magnitude, above
    GELU_FLOOR where `input` says so, times the fixed steps that were taken into the weights.

    magnitude: float32 [n, 1], a row's own, where the operand is scaled by rows
    limit:     the largest weight they may meet, in steps
    largest:   float32 [inputs], the largest magnitudes from which fixed steps are
    """

    graph: Graph
    values: str
    limit: int
    input: InputKind
    step: float
    zero: int
    magnitude: str = ""
    largest: Vector | None = None

    def take(self, rows: str) -> Operand:
        magnitude = self.magnitude and gather(self.graph, self.magnitude, rows)
        values = gather(self.graph, self.values, rows)
        return replace(self, values=values, magnitude=magnitude)

    def product(self, linear: Linear, part: Span | None = None) -> str:
        tell(self.graph, linear, "int8", self.input)
        if not self.graph.holds(f"{linear.name}.weight"):
            matrix = linear.matrix
            if self.largest is not None:
                matrix = matrix * channel_steps(self.largest)
            store_packed(self.graph, linear, matrix, self.limit)
        return self._multiplied(linear, part)

    def tied_product(self, table: Linear) -> str:
        if self.input == "fixed":
            raise ValueError("a shared table cannot take the steps of one operand in")
        return self.product(table)

    def _multiplied(self, linear: Linear, part: Span | None) -> str:
        graph = self.graph
        scale = graph.cut(graph.weight(f"{linear.name}.weight_scale"), part)
        bias = bias_of(graph, linear, part)
        if self.input == "floor":
            bias = self._raised(linear, bias, scale, part)
        inputs = [
            self.values,
            unpacked(graph, linear, part),
            graph.constant(self.step, np.float32),
            scale,
            graph.constant(self.zero, np.uint8),
        ]
        if self.magnitude:
            product = graph.microsoft("MatMulIntegerToFloat", *inputs)
            product = graph.node("Mul", product, self.magnitude)
            return graph.node("Add", product, bias) if bias else product
        return graph.microsoft("MatMulIntegerToFloat", *inputs, *(["", bias] if bias else []))

    def _raised(self, linear: Linear, bias: str, scale: str, part: Span | None) -> str:
        """x @ W = (x - floor) @ W + floor * sum(W), and that is a bias. Folded at load."""
        graph = self.graph
        floor = graph.node("Mul", scale, graph.constant(GELU_FLOOR, np.float32))
        sums = graph.cut(graph.weight(f"{linear.name}.weight_sum"), part)
        rest = graph.node("Mul", floor, graph.cast(sums, np.float32))
        return graph.node("Add", bias, rest) if bias else rest


def store_packed(graph: Graph, linear: Linear, matrix: Vector, limit: int) -> None:
    """Quantise `matrix` [outputs, inputs] and store it under the name of `linear`."""
    name = f"{linear.name}.weight"
    quantised, scale = int8_rows(matrix, limit)
    graph.store(name, pack_int8(quantised))
    graph.store(f"{name}_scale", scale)
    graph.store(f"{name}_sum", quantised.sum(axis=1, dtype=np.int32))


def unpacked(graph: Graph, linear: Linear, part: Span | None = None) -> str:
    """The packed weight as MatMulIntegerToFloat wants it, int8 [inputs, outputs]. Folded as the
    session is made; the kernel packs the result its own way and lets the copy go.
    """
    # Layers may share a weight; ONNX Runtime fails on a folded tensor that two products read.
    packed = graph.weight(f"{linear.name}.weight", again=True)
    turned = graph.node("Transpose", packed, perm=[1, 3, 0, 2])
    columns, rows = _up(linear.inputs, COLUMNS), _up(linear.outputs, ROWS)
    flat = graph.node("Reshape", turned, graph.constant([columns, rows], np.int64))
    outputs = _unless_whole(linear.outputs, ROWS) if part is None else part
    return graph.cut(flat, _unless_whole(linear.inputs, COLUMNS), outputs)


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def _unless_whole(count: int, multiple: int) -> Span | None:
    """What is left of an axis without its padding; None where it has none."""
    return (0, count) if count % multiple else None


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
