"""One ONNX graph made ready to run: arrays in, one array out."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from qingyu.engine import heap
from qingyu.engine.batch import Feeds
from qingyu.engine.cpu import products_overflow
from qingyu.engine.runtime import onnx_runtime
from qingyu.engine.threads import thread_count
from qingyu.errors import BundleError
from qingyu.numbers import FloatArray

_pool_lock = threading.Lock()
_pool_threads = 0


class Session:
    """An ONNX Runtime session on the pool of threads that the whole process shares.

    Sessions with pools of their own would fight: after each run a pool's threads spin for more
    work while the next session needs the cores. The pool is made with the first session, so its
    size cannot change later in the process.
    """

    def __init__(self, graph: Path, threads: int | None = None, pack: bool = True) -> None:
        """Raises BundleError where the graph or its weights cannot be read.

        Without `pack` weights are multiplied where the file lies in memory, which is slower and
        takes less of it.
        """
        onnxruntime, options = onnx_runtime(), session_options(threads)
        if products_overflow():  # then weights are made unsigned here: slower, and correct
            options.add_session_config_entry("session.x64quantprecision", "1")
        if not pack:
            options.add_session_config_entry("session.disable_prepacking", "1")
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"]
            )
            self._inputs = [given.name for given in self._session.get_inputs()]
            self._outputs = [output.name for output in self._session.get_outputs()]
        except Exception as error:
            raise BundleError(
                f"无法载入 {graph}：{error}", f"Cannot load {graph}: {error}"
            ) from error
        heap.trim()

    def run(self, feeds: Feeds) -> FloatArray:
        """The graph's last output, float32; graphs made for calibration have others before it.

        `feeds` may hold more than the graph reads.
        """
        return np.asarray(self._run(self._outputs[-1:], feeds)[0], np.float32)

    def run_all(self, feeds: Feeds) -> dict[str, FloatArray]:
        """All outputs of the graph by name."""
        return dict(zip(self._outputs, self._run(self._outputs, feeds), strict=True))

    def _run(self, outputs: list[str], feeds: Feeds) -> list[Any]:
        return list(self._session.run(outputs, {name: feeds[name] for name in self._inputs}))


def session_options(threads: int | None = None) -> Any:
    """Options of a session on the process's pool, which is made with the first."""
    _make_pool(thread_count(threads))
    options = onnx_runtime().SessionOptions()
    options.use_per_session_threads = False
    options.enable_cpu_mem_arena = False  # an arena never gives memory back
    options.enable_mem_pattern = False  # shapes differ from run to run
    options.log_severity_level = 3
    return options


def _make_pool(threads: int) -> None:
    global _pool_threads
    with _pool_lock:
        if not _pool_threads:
            onnx_runtime().set_global_thread_pool_sizes(threads, 1)
            heap.keep()
            _pool_threads = threads
