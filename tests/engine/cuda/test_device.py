"""On a GPU itself: an engine's contract, its memory, its lanes. Skipped where there is none."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import qingyu
from qingyu import bundle
from qingyu.engine import cuda
from qingyu.engine.cuda import CudaEngine, sizes
from qingyu.engine.cuda.driver import LIBRARY
from qingyu.engine.device import Device
from qingyu.model import Model
from tests.engine.stored_answers import answers, queries

MANIFEST = bundle.read_manifest(bundle.find(bundle.DEFAULT))
REFUSAL = cuda.refusal(MANIFEST)
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(REFUSAL is not None, reason=f"no GPU: {REFUSAL and REFUSAL.en}"),
]


@pytest.fixture
def model() -> Iterator[Model]:
    with qingyu.load(device="cuda") as loaded:
        assert loaded.engine == "cuda"
        yield loaded


def taken() -> int:
    """Bytes of the first GPU's memory that are not free."""
    runtime = ctypes.CDLL(LIBRARY)
    free, total, context = ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_void_p()
    assert runtime.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
    assert runtime.cuCtxSetCurrent(context) == 0
    assert runtime.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)) == 0
    return total.value - free.value


@pytest.mark.parametrize(("kind", "within"), [("fp32", 1e-3), ("fp16", 2e-2), ("bf16", 2e-1)])
def test_the_gpu_answers_as_its_graphs_do_on_the_cpu(kind: str, within: float) -> None:
    """Every head of the default bundle, 300 texts: the logits of the CPU's provider in FP32."""
    with qingyu.load() as loaded:
        assert loaded._open is not None
        loaded._open.engine = CudaEngine(MANIFEST, None, None, "fp32", "cpu")
        expected = answers(loaded)
        loaded._open.engine = CudaEngine(MANIFEST, None, None, kind)
        found = answers(loaded)
    for name in expected:
        if not name.endswith(".ids"):
            np.testing.assert_allclose(found[name], expected[name], atol=within, rtol=within)


def test_alone_as_in_company_nearly(model: Model) -> None:
    """In another batch sums are made in another order: logits move by rounding alone."""
    asked = [query for each in queries(model).values() for query in each]
    together = model.run_batch(asked)
    for query, answer in list(zip(asked, together, strict=True))[::20]:
        np.testing.assert_allclose(model.run_batch([query])[0], answer, atol=5e-2, rtol=5e-2)


def test_cut_it_answers_as_whole(model: Model) -> None:
    """With half of the layers on the CPU the answers are those of the GPU alone."""
    measured = sizes.measured(MANIFEST, "fp16")
    limit = sizes.needed(MANIFEST, measured, MANIFEST.sizes.num_layers // 2)
    whole = answers(model)
    with qingyu.load(device="cuda", gpu_memory=limit) as parted:
        found = answers(parted)
    for name in whole:
        if not name.endswith(".ids"):
            np.testing.assert_allclose(found[name], whole[name], atol=5e-2, rtol=5e-2)


def test_the_limit_holds_and_memory_comes_back() -> None:
    """What is taken while batches run stays under the limit and CUDA's own share, and closing gives
    it back."""
    with qingyu.load(device="cuda") as first:  # CUDA's context and libraries stay
        answers(first)
    before = taken()
    limit = sizes.needed(MANIFEST, sizes.measured(MANIFEST, "fp16"), MANIFEST.sizes.num_layers)
    loaded = qingyu.load(device="cuda", gpu_memory=limit)
    answers(loaded)
    held = taken() - before
    loaded.close()
    assert held > 0
    assert held <= limit + (64 << 20)  # workspaces of cuBLAS
    assert taken() - before < held / 4


def test_after_a_large_batch_the_arena_shrinks() -> None:
    """A batch larger than usual does not keep what it took."""
    engine = CudaEngine(MANIFEST, None, Device("cuda"))
    with qingyu.load() as loaded:
        assert loaded._open is not None
        loaded._open.engine = engine
        small = queries(loaded)["nli"]
        loaded.run_batch(small[:4])
        before = taken()
        tokens = sum(len(query.input_ids) for query in small)
        many = small * (cuda.LARGE_TOKENS // tokens + 2)
        loaded.run_batch(many)
        assert taken() - before < 64 << 20


def test_lanes_run_side_by_side(model: Model) -> None:
    """Eight threads at once get the answers that one gets."""
    asked = queries(model)["nli"][:64]
    alone = model.run_batch(asked)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: model.run_batch(asked), range(32)):
            for ours, theirs in zip(found, alone, strict=True):
                np.testing.assert_allclose(ours, theirs, atol=5e-2, rtol=5e-2)
