"""The kernels' products of INT4 weights, against numpy, for every instruction set of this CPU; and
bundles of such weights, whole, beside ONNX Runtime.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from qingyu.build.pipeline import Options, build
from qingyu.build.precisions.fp16 import bfloat16, widened
from qingyu.bundle import Manifest
from qingyu.engine.batch import PackedBatch
from qingyu.engine.native import NativeEngine, library, refusal
from qingyu.engine.native.structures import INPUTS, WEIGHTS, CProduct
from qingyu.engine.onnx import OnnxEngine
from qingyu.query import Query
from qingyu.tensors import BLOCK, pack_columns, pack_int4
from tests.support.kernels import compiled, each_set

CHECKPOINTS = Path(__file__).parents[2] / "golden" / "checkpoints"


pytestmark = compiled


@dataclass(frozen=True)
class Nibbles:
    """Random weights of 4 bits: numbers [outputs, blocks, BLOCK], steps and zero points a block."""

    steps: NDArray[np.uint8]
    scale: NDArray[np.float32]
    zero: NDArray[np.uint8]
    bias: NDArray[np.float32]
    inputs: int

    @classmethod
    def drawn(cls, outputs: int, inputs: int, extreme: bool, draw: np.random.Generator) -> Nibbles:
        blocks = -(-inputs // BLOCK)
        steps = draw.integers(0, 16, (outputs, blocks, BLOCK), np.uint8)
        zero = draw.integers(0, 16, (outputs, blocks), np.uint8)
        if extreme:
            steps, zero = (
                np.full_like(steps, 15),
                draw.choice(np.array([0, 15], np.uint8), zero.shape),
            )
        scale = widened(bfloat16(draw.uniform(0.001, 0.1, zero.shape).astype(np.float32)))
        return cls(steps, scale, zero, draw.normal(0, 1, outputs).astype(np.float32), inputs)

    def multiplied(self, x: NDArray[np.float32], instruction_set: int) -> NDArray[np.float32]:
        """What the kernels make of it: [rows, outputs]."""
        outputs, blocks, _ = self.steps.shape
        weight = pack_int4(self.steps[:, :, ::2] | self.steps[:, :, 1::2] << 4)
        points = np.zeros((outputs, blocks + blocks % 2), np.uint8)
        points[:, :blocks] = self.zero
        zero = pack_columns(points[:, ::2] | points[:, 1::2] << 4)
        scale = pack_columns(bfloat16(self.scale))
        product = CProduct(
            weight=weight.ctypes.data,
            bias=self.bias.ctypes.data,
            outputs=outputs,
            inputs=self.inputs,
            weight_kind=WEIGHTS["int4"],
            input_kind=INPUTS["block"],
            block_scale=scale.ctypes.data,
            block_zero=zero.ctypes.data,
        )
        y = np.full((len(x), outputs), np.nan, np.float32)
        status = library.library().qy_multiply(
            ctypes.byref(product),
            ctypes.c_void_p(x.ctypes.data),
            ctypes.c_void_p(y.ctypes.data),
            len(x),
            instruction_set,
        )
        library.check(status)
        return y

    def expected(self, x: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        """The product as docs/bundle-format.md tells it, and the size of what is summed in it."""
        blocks = self.zero.shape[1]
        padded = np.zeros((len(x), blocks * BLOCK), np.float32)
        padded[:, : self.inputs] = x
        rows = padded.reshape(len(x), blocks, BLOCK)
        largest = np.maximum(np.abs(rows).max(axis=2, keepdims=True), np.float32(1e-6))
        numbers = np.rint(rows * (np.float32(127) / largest)).astype(np.int64)
        weights = self.steps.astype(np.int64) - self.zero[:, :, None]
        sums = np.einsum("rbk,nbk->rnb", numbers, weights)
        terms = sums * self.scale.astype(np.float64) * (largest[:, None, :, 0] / np.float32(127))
        return terms.sum(axis=2) + self.bias, np.abs(terms).sum(axis=2) + np.abs(self.bias)


@each_set
@given(
    rows=st.integers(1, 30),
    inputs=st.integers(1, 400),
    outputs=st.integers(1, 70),
    extreme=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_products_are_those_of_numpy(
    instruction_set: int, rows: int, inputs: int, outputs: int, extreme: bool, seed: int
) -> None:
    """Of any shape, and with the largest numbers there are, only floats round; a row alone gives
    the bits that it gives in company.
    """
    draw = np.random.default_rng(seed)
    weights = Nibbles.drawn(outputs, inputs, extreme, draw)
    x = draw.normal(0, 1.5, (rows, inputs)).astype(np.float32)
    if extreme:
        x = draw.choice(np.array([-9, 9], np.float32), x.shape)
        x[0] = 9
    found = weights.multiplied(x, instruction_set)
    right, size = weights.expected(x)
    assert (np.abs(found - right) <= 2e-6 * size + 1e-6).all()
    alone = weights.multiplied(x[-1:], instruction_set)
    assert np.array_equal(alone[0], found[-1])


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The INT4 bundle of a tiny checkpoint, both engines able to run it."""
    folder = tmp_path_factory.mktemp("int4") / "bundle"
    options = Options(precision="int4", min_agreement=0, measure=False)
    made = build(CHECKPOINTS / "bert-masked-lm", folder, options).manifest
    assert refusal(made) is None
    return made


def batch_of(manifest: Manifest, lengths: list[int]) -> PackedBatch:
    """Random tokens, all rows asked for."""
    draw, words = np.random.default_rng(sum(lengths)), manifest.sizes.vocab_size
    return PackedBatch.of(
        [Query(draw.integers(5, words, n), np.zeros(n, np.int64), np.arange(n)) for n in lengths]
    )


@each_set
def test_any_company_and_threads_give_the_same_bits(
    manifest: Manifest, instruction_set: int
) -> None:
    """Alone, in company, on one, two or three threads: every bit is the same."""
    engines = [NativeEngine(manifest, threads, instruction_set) for threads in (1, 2, 3)]
    lengths = [9, 3, 30, 16, 1, 24]
    batch = batch_of(manifest, lengths)
    one, two, three = (engine.run(batch)[0] for engine in engines)
    assert np.array_equal(one, two)
    assert np.array_equal(one, three)
    places = np.split(one, np.cumsum(lengths)[:-1])
    for first, rows in zip(np.cumsum([0, *lengths]), places, strict=False):
        ids = batch.input_ids[first : first + len(rows)]
        query = Query(ids, np.zeros(len(rows), np.int64), np.arange(len(rows)))
        assert np.array_equal(engines[2].run(PackedBatch.of([query]))[0], rows)


def test_answers_are_those_of_onnx_runtime(manifest: Manifest) -> None:
    """Both engines quantise alike, so hidden states differ by rounding alone."""
    batch = batch_of(manifest, [12, 33])
    (ours,), (theirs,) = (
        engine.run(batch) for engine in (NativeEngine(manifest, 1), OnnxEngine(manifest, 1))
    )
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    assert ((ours * theirs).sum(axis=1) / norms).min() > 0.999
