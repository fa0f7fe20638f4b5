"""INT4: blocks of weights with a scale each, for machines where every megabyte counts.

The matrices of the layers have 4 bits, in blocks along the inputs (as in Dettmers & Zettlemoyer
2022, arXiv:2212.09720), and meet activations of 8 bits whose scales are a row's block's own, so
that answers do not depend on the batch. Tables and heads stay INT8, and so do the last layer, whose
errors nothing makes up for, and square matrices: what attention gives goes through one of these
straight into every later layer, and they are few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    bias_of,
    gather,
    tell,
)
from qingyu.build.precisions.fp16 import bfloat16, widened
from qingyu.build.precisions.int8 import Int8
from qingyu.tensors import BLOCK, ROWS, pack_columns, pack_int4

SPAN = 768
LEVELS = 15
DAMPING = 0.05  # of the mean square of a span's inputs
CLIPS = np.linspace(1.0, 0.7, 13, dtype=np.float32)  # shares of the range worth trying
INT8_ACTIVATIONS = 4  # MatMulNBits' accuracy_level


class Int4:
    name = "int4"
    compensates = True

    def __init__(
        self, tables: Precision | None = None, shown: Mapping[str, Vector] | None = None
    ) -> None:
        self.tables = tables or Int8()
        self.shown = shown or {}

    def operand(self, graph: Graph, x: str, reader: str, origin: Origin = OTHER) -> Operand:
        del origin
        return Nibbles(self, graph, x, reader)

    def lookup(self, graph: Graph, ids: str, table: Linear) -> str:
        return self.tables.lookup(graph, ids, table)

    def tied_lookup(self, graph: Graph, ids: str, table: Linear) -> str:
        return self.tables.tied_lookup(graph, ids, table)

    def calibrated(self, ranges: Mapping[str, Vector]) -> Precision:
        return Int4(self.tables.calibrated(ranges), ranges)


@dataclass(frozen=True)
class Nibbles:
    """Float rows that meet 4-bit matrices; tables they meet as INT8 does."""

    precision: Int4
    graph: Graph
    values: str
    reader: str

    def take(self, rows: str) -> Operand:
        return replace(self, values=gather(self.graph, self.values, rows))

    def product(self, linear: Linear, part: Span | None = None) -> str:
        if not shrinks(linear):
            return self._bytes().product(linear, part)
        if part is not None:
            raise ValueError("the layer that answers rows alone is INT8")
        graph, name = self.graph, f"{linear.name}.weight"
        tell(graph, linear, "int4", "block")
        if not graph.holds(name):
            gram = self.precision.shown.get(f"gram {linear.name}")
            rows, scales, zeros = int4_blocks(linear.matrix, gram)
            graph.store(name, pack_int4(rows))
            steps = bfloat16(scales).reshape(linear.outputs, -1)
            graph.store(f"{name}_scale", pack_columns(steps), "BF16")
            graph.store(f"{name}_zero_point", pack_columns(zeros))
        inputs = [self.values, *unpacked(graph, linear)]
        if bias := bias_of(graph, linear, None):
            inputs += ["", bias]
        return graph.microsoft(
            "MatMulNBits",
            *inputs,
            K=linear.inputs,
            N=linear.outputs,
            bits=4,
            block_size=BLOCK,
            accuracy_level=INT8_ACTIVATIONS,
        )

    def tied_product(self, table: Linear) -> str:
        return self._bytes().tied_product(table)

    def _bytes(self) -> Operand:
        return self.precision.tables.operand(self.graph, self.values, self.reader)


def unpacked(graph: Graph, linear: Linear) -> list[str]:
    """Weights, steps and zero points as MatMulNBits reads them: those of an output side by side.
    Folded as the session is made; the kernel packs them its own way and lets the copies go.
    """
    # Layers may share a weight; ONNX Runtime fails on a folded tensor that two products read.
    packed, steps, points = (
        graph.weight(f"{linear.name}.weight{part}", again=True)
        for part in ("", "_scale", "_zero_point")
    )
    blocks, rows = -(-linear.inputs // BLOCK), -(-linear.outputs // ROWS) * ROWS
    whole = (0, linear.outputs) if rows != linear.outputs else None

    def flat(turned: str, *shape: int) -> str:
        return graph.cut(
            graph.node("Reshape", turned, graph.constant([rows, *shape], np.int64)), whole
        )

    weight = graph.node("Transpose", packed, perm=[0, 3, 1, 2, 4])
    scale = graph.node("Transpose", graph.cast(steps, np.float32), perm=[0, 2, 1])
    zero = graph.node("Transpose", points, perm=[0, 2, 1])
    return [flat(weight, blocks, BLOCK // 2), flat(scale, blocks), flat(zero, (blocks + 1) // 2)]


def shrinks(linear: Linear) -> bool:
    """Whether a matrix gets 4 bits; square ones keep 8."""
    return linear.outputs != linear.inputs


def int4_blocks(
    matrix: NDArray[np.float32], gram: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """Quantise [outputs, inputs] in blocks along the inputs, each to 16 even steps.

    gram: float32 [spans, span, span], sum(x_i x_j) over samples of the inputs, as `spans` lays
    them. With it each number's rounding error is made up for by the numbers after it in its span:
    GPTQ (Frantar et al. 2022, arXiv:2210.17323), with steps found as each block is reached.

    Returns, for B = ceil(inputs / BLOCK): uint8 [outputs, B, BLOCK / 2] (the lower half of a byte
    first), float32 scales [outputs * B], which bfloat16 holds exactly, and uint8 zero points
    [outputs, ceil(B / 2)], as MatMulNBits reads them: w = (q - zero) * scale.
    """
    outputs, inputs = matrix.shape
    blocks = -(-inputs // BLOCK)
    if gram is None:
        gram = np.broadcast_to(np.eye(BLOCK, dtype=np.float32), (blocks, BLOCK, BLOCK))
    padded = np.zeros((outputs, gram.shape[0] * gram.shape[1]), np.float32)
    padded[:, :inputs] = matrix
    steps, scale, zero = _rounded(padded.reshape(outputs, *gram.shape[:2]), gram)
    quantised = steps.reshape(outputs, -1, BLOCK)[:, :blocks]
    scale, zero = scale.reshape(outputs, -1)[:, :blocks], zero.reshape(outputs, -1)[:, :blocks]
    packed = quantised[:, :, 0::2] | (quantised[:, :, 1::2] << 4)
    points = np.zeros((outputs, blocks + blocks % 2), np.uint8)
    points[:, :blocks] = zero
    zeros = points[:, 0::2] | (points[:, 1::2] << 4)
    return packed.astype(np.uint8), scale.ravel(), zeros.astype(np.uint8)


def span_of(width: int) -> int:
    """How many inputs make up for each other's errors: all of them, or SPAN where there are more.

    Of more inputs than the samples can show how they go together, less is better.
    """
    return min(SPAN, -(-width // BLOCK) * BLOCK)


def _rounded(
    left: NDArray[np.float32], gram: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """Numbers [outputs, spans, span] in steps; steps and zero points [outputs, spans, blocks].

    `left` is changed: it holds what is left to be rounded, errors passed on.
    """
    outputs, spans, span = left.shape
    upper, weights = _passed_on(gram), np.diagonal(gram, axis1=1, axis2=2)
    quantised = np.empty(left.shape, np.uint8)
    scales = np.empty((outputs, spans, span // BLOCK), np.float32)
    zeros = np.empty(scales.shape, np.uint8)
    error = np.empty((outputs, spans, BLOCK), np.float32)
    for block in range(span // BLOCK):
        first, end = block * BLOCK, (block + 1) * BLOCK
        scale, zero = _steps(left[:, :, first:end], weights[:, first:end])
        scales[:, :, block], zeros[:, :, block] = scale, zero
        for i in range(first, end):
            steps = np.clip(np.rint(left[:, :, i] / scale) + zero, 0, LEVELS)
            quantised[:, :, i] = steps
            wrong = (left[:, :, i] - (steps - zero) * scale) / upper[:, i, i]
            left[:, :, i + 1 : end] -= wrong[:, :, None] * upper[:, i, i + 1 : end]
            error[:, :, i - first] = wrong
        rest = error.transpose(1, 0, 2) @ upper[:, first:end, end:]
        left[:, :, end:] -= rest.transpose(1, 0, 2)
    return quantised, scales, zeros


def _passed_on(gram: NDArray[np.float32]) -> NDArray[np.float32]:
    """The upper factor of each span's inverse, inverse = upper.T @ upper: row i tells how the
    inputs after i make up for an error at i.
    """
    span = gram.shape[1]
    mean = np.trace(gram, axis1=1, axis2=2)[:, None, None] / span
    damped = gram.astype(np.float64) + (DAMPING * mean + 1e-9) * np.eye(span)
    factor = np.linalg.cholesky(np.linalg.inv(damped))
    return np.asarray(factor.transpose(0, 2, 1), np.float32)


def _steps(
    values: NDArray[np.float32], weights: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Step and zero point of each block, [outputs, spans], of values [outputs, spans, BLOCK]: of
    several shares of its range the one with the least squared error, each input weighted
    [spans, BLOCK] by how large it is.
    """
    lowest, highest = np.minimum(values.min(axis=2), 0), np.maximum(values.max(axis=2), 0)
    best = np.full(lowest.shape, np.inf, np.float32)
    scale, zero = np.ones_like(best), np.zeros_like(best)
    for clip in CLIPS:
        step = np.maximum((highest - lowest) * clip / LEVELS, np.finfo(np.float32).tiny)
        step = widened(bfloat16(step))
        offset = np.clip(np.rint(-lowest * clip / step), 0, LEVELS)
        rounded = np.rint(values / step[:, :, None]) + offset[:, :, None]
        rounded = (np.clip(rounded, 0, LEVELS) - offset[:, :, None]) * step[:, :, None]
        error = (np.square(rounded - values) * weights).sum(axis=2)
        better = error < best
        best = np.where(better, error, best)
        scale, zero = np.where(better, step, scale), np.where(better, offset, zero)
    return scale, zero
