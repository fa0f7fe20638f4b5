"""INT4: blocks of weights with a scale each, for machines where every megabyte counts.

The matrices of the layers have 4 bits, in blocks along the inputs (as in Dettmers & Zettlemoyer
2022, arXiv:2212.09720), and meet activations of 8 bits whose scales are a row's block's own, so
that answers do not depend on the batch. Tables and heads stay INT8, and so do square matrices:
what attention gives goes through one of these straight into every later layer, and they are few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qingyu.build.graph import Graph
from qingyu.build.precision import OTHER, Int8, Matrix, Operand, Origin, Precision, Vector

BLOCK = 64
LEVELS = 15
DAMPING = 0.01  # of the mean square of a block's inputs
CLIPS = np.linspace(1.0, 0.7, 13, dtype=np.float32)  # shares of the range worth trying
INT8_ACTIVATIONS = 4  # MatMulNBits' accuracy_level


class Int4:
    name = "int4"

    def __init__(
        self, tables: Precision | None = None, shown: Mapping[str, Vector] | None = None
    ) -> None:
        self.tables = tables or Int8()
        self.shown = shown or {}

    def operand(self, graph: Graph, x: str, origin: Origin = OTHER) -> Operand:
        del origin
        return Nibbles(self, graph, x)

    def lookup(self, graph: Graph, ids: str, name: str, table: Matrix) -> str:
        return self.tables.lookup(graph, ids, name, table)

    def calibrated(self, ranges: Mapping[str, Vector]) -> Precision:
        return Int4(self.tables.calibrated(ranges), ranges)


@dataclass(frozen=True)
class Nibbles:
    """Float rows that meet 4-bit matrices; tables they meet as INT8 does."""

    precision: Int4
    graph: Graph
    values: str

    def take(self, rows: str) -> Operand:
        return Nibbles(self.precision, self.graph, self.graph.node("Gather", self.values, rows))

    def product(self, name: str, matrix: Matrix, bias: Vector | None = None) -> str:
        outputs, width = matrix.shape
        if outputs == width:
            return self.precision.tables.operand(self.graph, self.values).product(
                name, matrix, bias
            )
        packed, scales, zeros = int4_blocks(matrix, self.precision.shown.get(f"gram {name}"))
        graph = self.graph
        inputs = [
            self.values,
            graph.weight(f"{name}.int4", packed),
            graph.weight(f"{name}.int4_scale", scales),
            graph.weight(f"{name}.int4_zero", zeros),
        ]
        if bias is not None:
            inputs += ["", graph.weight(f"{name}.bias", bias)]
        return graph.microsoft(
            "MatMulNBits",
            *inputs,
            K=width,
            N=outputs,
            bits=4,
            block_size=BLOCK,
            accuracy_level=INT8_ACTIVATIONS,
        )

    def tied_product(self, name: str, table: Matrix) -> str:
        return self.precision.tables.operand(self.graph, self.values).tied_product(name, table)


def int4_blocks(
    matrix: NDArray[np.float32], gram: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """Quantise [outputs, inputs] in blocks along the inputs, each to 16 even steps.

    gram: float32 [blocks, BLOCK, BLOCK], sum(x_i x_j) over samples of the inputs. With it each
    number's rounding error is made up for by the numbers after it in its block, as GPTQ does
    (Frantar et al. 2022, arXiv:2210.17323) over whole rows.

    Returns, for B = ceil(inputs / BLOCK): uint8 [outputs, B, BLOCK / 2] (the lower half of a byte
    first), float32 scales [outputs * B] and uint8 zero points [outputs, ceil(B / 2)], as
    MatMulNBits reads them: w = (q - zero) * scale.
    """
    outputs, inputs = matrix.shape
    blocks = -(-inputs // BLOCK)
    padded = np.zeros((outputs, blocks * BLOCK), np.float32)
    padded[:, :inputs] = matrix
    values = padded.reshape(outputs, blocks, BLOCK)
    if gram is None:
        gram = np.broadcast_to(np.eye(BLOCK, dtype=np.float32), (blocks, BLOCK, BLOCK))
    scale, zero = _steps(values, np.diagonal(gram, axis1=1, axis2=2))
    quantised = _rounded(values, scale, zero, gram)
    packed = quantised[:, :, 0::2] | (quantised[:, :, 1::2] << 4)
    points = np.zeros((outputs, blocks + blocks % 2), np.uint8)
    points[:, :blocks] = zero.astype(np.uint8)
    zeros = points[:, 0::2] | (points[:, 1::2] << 4)
    return packed.astype(np.uint8), scale.ravel(), zeros.astype(np.uint8)


def _steps(
    values: NDArray[np.float32], weights: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Step and zero point of each block, [outputs, blocks]: of several shares of its range the
    one with the least squared error, each input weighted by how large it is.
    """
    lowest, highest = np.minimum(values.min(axis=2), 0), np.maximum(values.max(axis=2), 0)
    best = np.full(lowest.shape, np.inf, np.float32)
    scale, zero = np.ones_like(best), np.zeros_like(best)
    for clip in CLIPS:
        step = np.maximum((highest - lowest) * clip / LEVELS, np.finfo(np.float32).tiny)
        offset = np.clip(np.rint(-lowest * clip / step), 0, LEVELS)
        rounded = np.rint(values / step[:, :, None]) + offset[:, :, None]
        rounded = (np.clip(rounded, 0, LEVELS) - offset[:, :, None]) * step[:, :, None]
        error = (np.square(rounded - values) * weights).sum(axis=2)
        better = error < best
        best = np.where(better, error, best)
        scale, zero = np.where(better, step, scale), np.where(better, offset, zero)
    return scale, zero


def _rounded(
    values: NDArray[np.float32],
    scale: NDArray[np.float32],
    zero: NDArray[np.float32],
    gram: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """The numbers in steps, uint8 [outputs, blocks, BLOCK], errors passed on within each block."""
    mean = np.trace(gram, axis1=1, axis2=2)[:, None, None] / BLOCK
    damped = gram.astype(np.float64) + (DAMPING * mean + 1e-9) * np.eye(BLOCK)
    # inverse = upper.T @ upper: row i tells how the rest makes up for an error at i.
    upper = np.linalg.cholesky(np.linalg.inv(damped)).transpose(0, 2, 1).astype(np.float32)
    left = values.copy()
    quantised = np.empty(values.shape, np.uint8)
    for i in range(BLOCK):
        steps = np.clip(np.rint(left[:, :, i] / scale) + zero, 0, LEVELS)
        quantised[:, :, i] = steps
        error = (left[:, :, i] - (steps - zero) * scale) / upper[:, i, i]
        left[:, :, i + 1 :] -= error[:, :, None] * upper[:, i, i + 1 :]
    return quantised
