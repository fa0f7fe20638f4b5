"""The kernels' products of bytes, against numpy, for every instruction set that this CPU has."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from qingyu.engine.native import library
from qingyu.engine.native.structures import INPUTS, WEIGHTS, CProduct
from qingyu.tensors import pack_int8
from tests.support.kernels import available, compiled, each_set

FLOOR = np.float32(-0.17)


pytestmark = compiled


def multiplied(
    x: NDArray[np.float32],
    weight: NDArray[np.int8],
    scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    step: NDArray[np.float32],
    kind: str,
    instruction_set: int,
) -> NDArray[np.float32]:
    """What the kernels make of it: [rows, outputs]."""
    sums = weight.sum(axis=1, dtype=np.int32)
    packed, reciprocal = pack_int8(weight), (1 / step).astype(np.float32)
    product = CProduct(
        packed.ctypes.data,
        scale.ctypes.data,
        sums.ctypes.data,
        bias.ctypes.data,
        reciprocal.ctypes.data if kind == "fixed" else None,
        *weight.shape,
        WEIGHTS["int8"],
        INPUTS[kind],  # type: ignore[index]
    )
    y = np.full((len(x), len(weight)), np.nan, np.float32)
    status = library.library().qy_multiply(
        ctypes.byref(product),
        ctypes.c_void_p(x.ctypes.data),
        ctypes.c_void_p(y.ctypes.data),
        len(x),
        instruction_set,
    )
    library.check(status)
    return y


def expected(
    x: NDArray[np.float32],
    weight: NDArray[np.int8],
    scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    step: NDArray[np.float32],
    kind: str,
) -> NDArray[np.float64]:
    """The table of docs/bundle-format.md, in numpy."""
    row = np.ones((len(x), 1), np.float32)
    if kind == "fixed":
        numbers = np.clip(np.rint(x * (1 / step).astype(np.float32)), -128, 127)
    elif kind == "row":
        largest = np.maximum(np.abs(x).max(axis=1, keepdims=True), np.float32(1e-6))
        row = largest / np.float32(127)
        numbers = np.clip(np.rint(x * (np.float32(127) / largest)), -128, 127)
    else:
        raised = x - FLOOR
        largest = x.max(axis=1, keepdims=True) - FLOOR
        row = largest / np.float32(255)
        numbers = np.clip(np.rint(raised * (np.float32(255) / largest)), 0, 255)
    sums = numbers.astype(np.int64) @ weight.T.astype(np.int64)
    return sums * (scale * row).astype(np.float64) + bias  # type: ignore[return-value]


@each_set
@given(
    rows=st.integers(1, 40),
    inputs=st.integers(1, 300),
    outputs=st.integers(1, 140),
    kind=st.sampled_from(["fixed", "row", "floor"]),
    extreme=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=300, deadline=None)
def test_products_are_exact(
    instruction_set: int,
    rows: int,
    inputs: int,
    outputs: int,
    kind: str,
    extreme: bool,
    seed: int,
) -> None:
    """Of any shape, and with the largest bytes there are, sums are exact: nothing saturates."""
    draw = np.random.default_rng(seed)
    weight = draw.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    x = draw.normal(0, 1.5, (rows, inputs)).astype(np.float32)
    if extreme:
        weight = np.where(weight > 0, 127, -127).astype(np.int8)
        x = draw.choice(np.array([-9, -4, 4, 9], np.float32), x.shape)
    if kind == "floor":
        x = np.maximum(x, FLOOR / 2)
    scale = draw.uniform(0.001, 0.1, outputs).astype(np.float32)
    bias = draw.normal(0, 1, outputs).astype(np.float32)
    step = draw.uniform(0.01, 0.06, inputs).astype(np.float32)
    found = multiplied(x, weight, scale, bias, step, kind, instruction_set)
    right = expected(x, weight, scale, bias, step, kind)
    np.testing.assert_allclose(found, right, rtol=2e-6, atol=2e-5)


@pytest.mark.skipif("amx" not in available(), reason="this CPU has no tiles")
@given(
    rows=st.integers(1, 70),
    inputs=st.integers(1, 300),
    outputs=st.integers(1, 140),
    kind=st.sampled_from(["fixed", "row", "floor"]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_tiles_give_the_bits_of_vectors(
    rows: int, inputs: int, outputs: int, kind: str, seed: int
) -> None:
    """AMX and VNNI sum the same bytes and finish them alike: products differ in no bit."""
    draw = np.random.default_rng(seed)
    weight = draw.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    x = draw.normal(0, 1.5, (rows, inputs)).astype(np.float32)
    scale = draw.uniform(0.001, 0.1, outputs).astype(np.float32)
    bias = draw.normal(0, 1, outputs).astype(np.float32)
    step = draw.uniform(0.01, 0.06, inputs).astype(np.float32)
    sets = library.instruction_sets()
    tiles, vectors = (
        multiplied(x, weight, scale, bias, step, kind, sets.index(name))
        for name in ("amx", "avx512_vnni")
    )
    assert np.array_equal(tiles, vectors)


@each_set
def test_bad_arguments_are_refused(instruction_set: int) -> None:
    """The entry point checks what it is given before it reads."""
    product = CProduct(outputs=16, inputs=0)
    none = ctypes.c_void_p()
    call = library.library().qy_multiply
    with pytest.raises(ValueError, match="out of range"):
        library.check(call(ctypes.byref(product), none, none, 1, instruction_set))
    product.inputs = 4
    with pytest.raises(ValueError, match="out of range"):
        library.check(call(ctypes.byref(product), none, none, 1, 99))
