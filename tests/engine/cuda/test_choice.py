"""Which device computes: what is asked for, what is refused and why, and what fits on it."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qingyu
from qingyu import bundle
from qingyu.cli import run
from qingyu.engine import cuda
from qingyu.engine.backend import Refusal
from qingyu.engine.choice import choose
from qingyu.engine.cuda import driver, session, sizes
from qingyu.engine.cuda.driver import Gpu
from qingyu.engine.cuda.graph import Part
from qingyu.engine.device import DEVICE_VARIABLE, MEMORY_VARIABLE, Device, bytes_of, chosen
from qingyu.errors import BundleError, SettingsError

H100 = Gpu("NVIDIA H100", 80 << 30, (9, 0))
MANIFEST = bundle.read_manifest(bundle.find(bundle.DEFAULT))
SIZES = sizes.measured(MANIFEST, "fp16")
LEAST = sizes.needed(MANIFEST, SIZES, 1)
ALL = sizes.needed(MANIFEST, SIZES, len(SIZES.layers))


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No device is asked for by the environment."""
    monkeypatch.delenv(DEVICE_VARIABLE, raising=False)
    monkeypatch.delenv(MEMORY_VARIABLE, raising=False)


def test_without_a_gpu_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for a GPU where there is none, loading says so in both languages."""
    monkeypatch.setattr(cuda, "first_gpu", lambda: None)
    with pytest.raises(BundleError, match="no NVIDIA GPU or driver") as caught:
        qingyu.load(device="cuda")
    assert "没有 NVIDIA 显卡或驱动" in caught.value.zh


@pytest.mark.skipif(
    session.CUDA in __import__("onnxruntime").get_available_providers(),
    reason="this onnxruntime has CUDA",
)
def test_without_cuda_in_the_runtime_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU, but the onnxruntime for CPUs: the error gives the command that brings the other."""
    monkeypatch.setattr(cuda, "first_gpu", lambda: H100)
    with pytest.raises(BundleError, match="pip install onnx 'onnxruntime-gpu"):
        qingyu.load(device="cuda")


def test_without_onnx_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU, but not what writes its graphs."""
    monkeypatch.setattr(cuda, "first_gpu", lambda: H100)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    no = cuda.refusal(MANIFEST)
    assert no is not None
    for told in (no.zh, no.en):
        assert "pip install onnx 'onnxruntime-gpu" in told


def test_auto_is_the_cpu_where_no_gpu_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` asks the GPU first, remembers why not, and goes on to the CPU."""
    monkeypatch.setattr(cuda, "first_gpu", lambda: None)
    choice = choose(MANIFEST, Device("auto"))
    assert choice.name != "cuda"
    assert "cuda" in choice.refusals
    monkeypatch.setenv(DEVICE_VARIABLE, "auto")
    with qingyu.load() as model:
        assert model.engine == choice.name


def test_auto_is_the_gpu_where_one_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto`, `cuda` and the environment choose the GPU where nothing speaks against it; by default
    it is not even asked."""
    monkeypatch.setattr(cuda, "refusal", lambda _manifest: None)
    assert choose(MANIFEST, Device("auto")).name == "cuda"
    assert choose(MANIFEST, Device("cuda")).asked
    assert choose(MANIFEST).name != "cuda"
    monkeypatch.setenv(DEVICE_VARIABLE, "cuda")
    assert choose(MANIFEST).name == "cuda"


def test_a_device_and_its_memory_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given goes before the environment; sizes are decimal, or binary with an i."""
    assert chosen() == Device("cpu", None)
    monkeypatch.setenv(DEVICE_VARIABLE, "auto")
    monkeypatch.setenv(MEMORY_VARIABLE, "1.5 GiB")
    assert chosen() == Device("auto", 3 << 29)
    assert chosen("cpu", 5) == Device("cpu", 5)
    assert [bytes_of(text) for text in ("1GB", "512MiB", "20k", "7")] == [
        10**9,
        512 << 20,
        20_000,
        7,
    ]


@pytest.mark.parametrize("text", ["", "GB", "0", "-1GB", "1 XB", "1GB2", "nan"])
def test_a_wrong_size_is_an_error(text: str) -> None:
    """It says what was meant and what came."""
    with pytest.raises(SettingsError, match="1GB or 512MiB"):
        bytes_of(text)


def test_a_wrong_device_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In Python, and as exit status 2 on the command line."""
    with pytest.raises(SettingsError, match="cpu, cuda, auto, not 'gpu'"):
        qingyu.load(device="gpu")
    source = tmp_path / "a.txt"
    source.write_text("今天[MASK]气真好\n", "utf-8")
    assert run(["batch", "fill", str(source), str(tmp_path / "b.csv"), "--device", "gpu"]) == 2
    assert "'gpu'" in capsys.readouterr().err


@given(st.integers(LEAST, 2 * ALL))
def test_what_is_planned_fits(limit: int) -> None:
    """For any limit that holds a layer, weights and what sessions may use stay under it, each has
    what a batch needs, and one layer more would not have fitted."""
    cut = sizes.cut(MANIFEST, SIZES, limit)
    assert 1 <= cut.layers <= len(SIZES.layers)
    assert cut.whole == (cut.layers == len(SIZES.layers))
    on_gpu = sum(end <= cut.layers for end in cut.ends) + (len(SIZES.heads) if cut.whole else 0)
    assert cut.spare is not None
    assert cut.spare >= SIZES.working
    assert cut.weights + on_gpu * cut.spare <= limit
    assert cut.layers in cut.ends
    assert cut.ends[-1] == len(SIZES.layers)
    if not cut.whole:
        assert sizes.needed(MANIFEST, SIZES, cut.layers + 1) > limit


def test_sizes_are_those_of_the_graphs() -> None:
    """What a plan adds up is what the sessions' weights weigh, to the byte."""
    engine = cuda.CudaEngine(MANIFEST, 1, None, "fp16", "cpu")
    parts = [segment.session for segment in engine._segments] + [*engine._heads.values()]
    assert sum(part.weight_bytes for part in parts) == SIZES.weights(len(SIZES.layers))


def test_options_of_the_provider() -> None:
    """The limit bounds the arena, which grows by what is needed; FP32 is not rounded to TF32."""
    name, options = session.provider(Part(b"", {}, "fp16"), "cuda", 123)
    assert name == "CUDAExecutionProvider"
    assert options["gpu_mem_limit"] == "123"
    assert options["arena_extend_strategy"] == "kSameAsRequested"
    assert options["use_tf32"] == "1"
    _, options = session.provider(Part(b"", {}, "fp32"), "cuda", None)
    assert "gpu_mem_limit" not in options
    assert options["use_tf32"] == "0"


def test_the_plan_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """`qingyu plan --gpu-memory` needs no GPU: layer by layer, where each would be."""
    assert run(["plan", "--gpu-memory", f"{sizes.needed(MANIFEST, SIZES, 3) + 1}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    layers = [line for line in lines if "layer" in line and "MB  第" in line]
    assert [line.split()[0] for line in layers] == ["GPU"] * 3 + ["CPU"] * (len(SIZES.layers) - 3)
    assert run(["plan", "--gpu-memory", "1MB"]) == 2
    assert "holds not one layer" in capsys.readouterr().err
    assert run(["plan"]) == 2
    assert "--qps or --gpu-memory" in capsys.readouterr().err


class Library:
    """A driver that has one GPU, or fails where it is told to."""

    def __init__(self, fails: str = "", count: int = 1) -> None:
        self.fails, self.count = fails, count

    def __getattr__(self, name: str) -> object:
        def call(*arguments: Any) -> int:
            values = {
                "cuDeviceGetCount": self.count,
                "cuDeviceTotalMem_v2": 8 << 30,
                "cuDeviceGetAttribute": {75: 7, 76: 5},
            }
            if name == self.fails:
                return 100  # CUDA_ERROR_NO_DEVICE
            if name == "cuDeviceGetName":
                arguments[0].value = b"Tesla T4"
            elif name in values:
                value = values[name]
                told = value[arguments[1]] if isinstance(value, dict) else value
                arguments[0]._obj.value = told
            return 0

        return call


def test_the_driver_tells_of_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, memory and capability, of which bfloat16 follows; None where anything fails."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Library())
    gpu = driver.first_gpu()
    assert gpu == Gpu("Tesla T4", 8 << 30, (7, 5))
    assert not gpu.has_bfloat16
    assert H100.has_bfloat16
    for failing in ("cuInit", "cuDeviceGetCount", "cuDeviceGetName", "cuDeviceGetAttribute"):
        monkeypatch.setattr(ctypes, "CDLL", lambda _name, one=failing: Library(one))
        assert driver.first_gpu() is None, failing
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Library(count=0))
    assert driver.first_gpu() is None


def test_doctor_tells_of_the_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A GPU is told with what keeps it from being used; none is nothing amiss."""
    monkeypatch.setattr(driver, "first_gpu", lambda: None)
    assert run(["doctor"]) == 0
    assert "none is needed" in capsys.readouterr().out
    monkeypatch.setattr(driver, "first_gpu", lambda: H100)
    monkeypatch.setattr(cuda, "refusal", lambda _manifest: Refusal("缺少甲", "A is missing"))
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "NVIDIA H100" in out
    assert "A is missing" in out
