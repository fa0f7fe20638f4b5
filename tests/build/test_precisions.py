"""What the smaller precisions store, and that graphs made of it keep their answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qingyu.build.pipeline import Options
from qingyu.build.precisions import int4
from qingyu.build.precisions.fp16 import bfloat16, widened
from qingyu.build.precisions.quantise import INT7_LIMIT, int8_rows
from qingyu.bundle import WEIGHTS, Manifest
from qingyu.engine.cpu import products_overflow
from qingyu.engine.network import Network
from qingyu.tensors import BLOCK

NORMAL = st.floats(-100, 100, width=32)
Golden = Callable[..., Any]


@pytest.mark.parametrize(
    ("precision", "least"), [("fp16", 0.99999), ("bf16", 0.999), ("int7", 0.98), ("int4", 0.93)]
)
def test_hidden_states_keep_their_direction(
    precision: str, least: float, built: Callable[..., Manifest], golden: Golden
) -> None:
    """Against transformers, on weights far wider than any trained model's."""
    manifest = built("bert-masked-lm", precision)
    asked = [
        (query, truth) for query, truth in golden(manifest, "bert-masked-lm") if not query.head
    ]
    a = np.concatenate(Network(manifest).run([query for query, _ in asked]))
    b = np.concatenate([truth for _, truth in asked])
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.mean() > least


@pytest.mark.parametrize("precision", ["int7", "int4", "fp16", "bf16"])
def test_an_answer_does_not_depend_on_its_batch(
    precision: str, built: Callable[..., Manifest], golden: Golden
) -> None:
    """Activations are quantised by rows or by fixed steps, whatever the weights are."""
    manifest = built("bert-masked-lm", precision)
    queries = [query for query, _ in golden(manifest, "bert-masked-lm")]
    network = Network(manifest)
    for query, answer in zip(queries, network.run(queries), strict=True):
        np.testing.assert_allclose(network.run([query])[0], answer, atol=1e-4)


def test_halves_halve_and_nibbles_quarter(built: Callable[..., Manifest]) -> None:
    """Bytes of weights fall as the precision says."""
    bytes_of = {
        precision: built("bert-masked-lm", precision).files[WEIGHTS].bytes
        for precision in ("fp32", "fp16", "bf16", "int8", "int4")
    }
    assert bytes_of["fp16"] == bytes_of["bf16"] < 0.6 * bytes_of["fp32"]
    assert bytes_of["int8"] < 0.5 * bytes_of["fp32"]


def dequantised(
    packed: np.ndarray[Any, Any],
    scale: np.ndarray[Any, Any],
    zero: np.ndarray[Any, Any],
    inputs: int,
) -> np.ndarray[Any, Any]:
    """What MatMulNBits reads in what `int4_blocks` wrote."""
    outputs, blocks, _ = packed.shape
    steps = np.stack([packed & 15, packed >> 4], axis=3).reshape(outputs, blocks, -1)
    points = np.stack([zero & 15, zero >> 4], axis=2).reshape(outputs, -1)[:, :blocks]
    values = (steps.astype(np.float32) - points[:, :, None]) * scale.reshape(outputs, blocks, 1)
    return values.reshape(outputs, -1)[:, :inputs]


@given(st.integers(1, 5), st.integers(1, 150), st.integers(0, 99))
def test_int4_stays_within_its_steps(outputs: int, inputs: int, seed: int) -> None:
    """Whatever the shape, no number is off by more than its block's range allows."""
    matrix = np.random.default_rng(seed).standard_normal((outputs, inputs)).astype(np.float32)
    back = dequantised(*int4.int4_blocks(matrix), inputs)
    assert back.shape == matrix.shape
    # A block is at most its range wide, clipped to no less than 0.7 of it.
    reach = np.abs(matrix).max() * 2
    assert np.abs(back - matrix).max() <= reach * (0.3 + 1 / 15)


def test_zeros_stay_zeros() -> None:
    """A matrix of zeros, as pruning leaves, has no scale to divide by."""
    assert not dequantised(*int4.int4_blocks(np.zeros((3, 70), np.float32)), 70).any()


def test_samples_make_products_better() -> None:
    """Knowing how inputs go together, rounding errors make up for each other in the products."""
    draw = np.random.default_rng(3)
    matrix = draw.standard_normal((32, BLOCK)).astype(np.float32)
    mixing = draw.standard_normal((8, BLOCK))
    inputs = (draw.standard_normal((500, 8)) @ mixing).astype(np.float32)
    gram = (inputs.T @ inputs)[None]
    errors = [
        np.square(inputs @ (dequantised(*found, BLOCK) - matrix).T).mean()
        for found in (int4.int4_blocks(matrix), int4.int4_blocks(matrix, gram))
    ]
    assert errors[1] < 0.5 * errors[0]


def test_errors_are_made_up_for_across_blocks() -> None:
    """Inputs that go together though they lie in different blocks help each other, too."""
    draw = np.random.default_rng(4)
    width = 4 * BLOCK
    matrix = draw.standard_normal((32, width)).astype(np.float32)
    inputs = (draw.standard_normal((900, 12)) @ draw.standard_normal((12, width))).astype(
        np.float32
    )
    whole = inputs.T @ inputs
    blocks = whole.reshape(4, BLOCK, 4, BLOCK)
    parts = np.stack([blocks[i, :, i] for i in range(4)])
    errors = [
        np.square(inputs @ (dequantised(*int4.int4_blocks(matrix, gram), width) - matrix).T).mean()
        for gram in (parts, whole[None])
    ]
    assert errors[1] < 0.5 * errors[0]


@given(st.integers(1, 4), st.integers(1, 150), st.integers(0, 99))
def test_steps_are_stored_as_they_were_used(outputs: int, inputs: int, seed: int) -> None:
    """Scales lose nothing when they are written as bfloat16."""
    matrix = np.random.default_rng(seed).standard_normal((outputs, inputs)).astype(np.float32)
    _, scales, _ = int4.int4_blocks(matrix)
    np.testing.assert_array_equal(widened(bfloat16(scales)), scales)


def test_the_last_layer_keeps_eight_bits(built: Callable[..., Manifest]) -> None:
    """Of two layers the first has 4-bit matrices; the last, and heads, have none."""
    plan = built("bert-masked-lm", "int4").plan
    assert plan is not None
    names = [product.name for product in plan.products() if product.weight == "int4"]
    assert len(names) == 3  # of attention's inputs, and of both feed-forward matrices
    assert all(".layer.0." in name for name in names)


@pytest.mark.parametrize(("precision", "least"), [("int8", 0.97), ("fp16", 0.97), ("int4", 0.9)])
def test_least_agreement_unless_said(precision: str, least: float) -> None:
    """INT4 is expected to cost more; what is asked for goes before either."""
    assert Options(precision).least_agreement == least
    assert Options(precision, min_agreement=0.5).least_agreement == 0.5


@given(arrays(np.float32, (3, 7), elements=NORMAL), st.sampled_from([INT7_LIMIT, 127]))
def test_int8_rows_round_to_nearest(matrix: np.ndarray[Any, Any], limit: int) -> None:
    """Each number is within half a step, each step within the limit."""
    steps, scale = int8_rows(matrix, limit)
    assert np.abs(steps.astype(int)).max() <= limit
    assert (np.abs(steps * scale[:, None] - matrix) <= scale[:, None] * 0.501).all()


def test_two_seven_bit_products_fit_sixteen_bits() -> None:
    """What AVX2 adds in 16 bits cannot overflow with 7-bit weights; with 8-bit ones it can."""
    assert 2 * 255 * INT7_LIMIT < 2**15 <= 2 * 255 * 127


@given(arrays(np.float32, 5, elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_bfloat16_is_the_nearest(values: np.ndarray[Any, Any]) -> None:
    """Half a unit in the last place of 8 bits, at most."""
    back = (bfloat16(values).astype(np.uint32) << 16).view(np.float32)
    assert (np.abs(back - values) <= np.abs(values) * 2.0**-8 + 1e-38).all()


@pytest.mark.parametrize(
    ("machine", "flags", "overflow"),
    [
        ("x86_64", "flags : fpu avx2", True),
        ("x86_64", "flags : fpu avx2 avx512f", True),
        ("AMD64", "flags : avx2 avx_vnni", False),
        ("x86_64", "flags : avx512f avx512_vnni", False),
        ("aarch64", "Features : asimd", False),
        ("x86_64", None, True),
    ],
)
def test_where_products_overflow(
    tmp_path: Path, machine: str, flags: str | None, overflow: bool
) -> None:
    """x86 without VNNI, or one that does not tell; never Arm."""
    path = tmp_path / "cpuinfo"
    if flags is not None:
        path.write_text(f"processor : 0\n{flags}\n", encoding="utf-8")
    assert products_overflow(machine, path) is overflow
