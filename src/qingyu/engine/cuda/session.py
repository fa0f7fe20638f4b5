"""One part of a model as an ONNX Runtime session whose inputs and output stay where it computes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any, Literal, TypeAlias

from qingyu.engine.cuda.graph import OUTPUT, Part
from qingyu.engine.cuda.numbers import ELEMENTS
from qingyu.engine.runtime import onnx_runtime
from qingyu.engine.session import session_options
from qingyu.errors import BundleError, EngineError
from qingyu.numbers import FloatArray

Where: TypeAlias = Literal["cuda", "cpu"]
CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
SHRINK = "memory.enable_memory_arena_shrinkage"  # onnxruntime_run_options_config_keys.h


def provider(part: Part, where: Where, limit: int | None) -> tuple[str, dict[str, str]]:
    """The execution provider and its options; `limit` bounds its arena, in bytes.

    A run takes a stream of its own, so lanes overlap: nothing has to be set for that.
    """
    if where == "cpu":
        return CPU, {}
    options = {
        "device_id": "0",
        "arena_extend_strategy": "kSameAsRequested",  # else it doubles, beyond what is needed
        # float32 is the reference: tensor cores would round its products to 10 bits.
        "use_tf32": "0" if part.kind == "fp32" else "1",
    }
    return CUDA, options if limit is None else options | {"gpu_mem_limit": str(limit)}


class PartSession:
    """Runs one part; `run` may be called from many threads. `weight_bytes` is of its weights."""

    def __init__(
        self, part: Part, where: Where, limit: int | None = None, threads: int | None = None
    ) -> None:
        """Raises BundleError where ONNX Runtime refuses the graph, or CUDA cannot be used."""
        self._ort = onnx_runtime()
        self.where: Where = where
        options = session_options(threads)
        names = list(part.weights)
        element = ELEMENTS[part.kind]
        values = [
            self._ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array, element)
            for array in part.weights.values()
        ]
        if names:
            options.add_external_initializers(names, values)
        chosen = provider(part, where, limit)
        if where == "cuda":
            _preload()
        try:
            self._session = self._ort.InferenceSession(
                part.model, options, providers=[chosen], enable_fallback=0
            )
        except Exception as error:  # the runtime raises plain Exception
            raise _failed(error) from error
        if chosen[0] not in self._session.get_providers():
            raise _failed(f"{chosen[0]} is passed over: CUDA or cuDNN cannot be loaded")
        # The session reads them where they are, if that is the CPU; to a GPU they were copied.
        self._kept = values if where == "cpu" else []
        self.weight_bytes = sum(array.nbytes for array in part.weights.values())
        self._inputs = [given.name for given in self._session.get_inputs()]

    def run(self, feeds: Mapping[str, Any], shrink: bool = False) -> Any:
        """The part's output, an OrtValue where it computes, float32. `feeds` are OrtValues, and may
        hold more than the part reads; `shrink` gives the arena's free memory back afterwards.

        Raises EngineError where the memory does not suffice.
        """
        binding = self._session.io_binding()
        for name in self._inputs:
            binding.bind_ortvalue_input(name, feeds[name])
        binding.bind_output(OUTPUT, self.where, 0)
        options = self._ort.RunOptions()
        if shrink and self.where == "cuda":
            options.add_run_config_entry(SHRINK, "gpu:0")
        with _told():
            self._session.run_with_iobinding(binding, options)
        return binding.get_outputs()[0]

    def at_hand(self, value: Any) -> Any:
        """An OrtValue where this part computes: itself, or a copy of it."""
        return value if value.device_name() == self.where else self.value(on_host(value))

    def value(self, array: Any) -> Any:
        """An array of numpy where this part computes."""
        with _told():
            return self._ort.OrtValue.ortvalue_from_numpy(array, self.where, 0)


def _preload() -> None:
    """Load CUDA and cuDNN from NVIDIA's wheels where the system has none; what this cannot find it
    prints, which is no answer of ours."""
    with redirect_stdout(sys.stderr):
        onnx_runtime().preload_dlls()


def on_host(value: Any) -> FloatArray:
    """The numbers of an OrtValue, wherever it is."""
    array: FloatArray = value.numpy()
    return array


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise EngineError(
            f"GPU 计算失败：{error}。若是显存不足，请减小批次（--max-batch-tokens）或放宽 "
            "--gpu-memory。",
            f"Computing on the GPU failed: {error}. If its memory did not suffice, make batches "
            "smaller (--max-batch-tokens) or allow more (--gpu-memory).",
        ) from error


def _failed(error: object) -> BundleError:
    return BundleError(f"GPU 无法载入模型：{error}", f"The GPU cannot load the model: {error}")
