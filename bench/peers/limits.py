"""What this machine can do at most, measured and in theory.

Peak: ONNX Runtime's own INT8 matrix product on blocks that stay in cache, all threads, the best of
several block sizes. Bandwidth: copying an array far larger than the caches of a core, all threads;
bytes read and written. Theory: operations a cycle of the widest INT8 instructions the processor
has, times its nominal clock, which turbo may pass.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

BLOCKS = [(128, 768, 768), (256, 512, 1536), (256, 768, 3072), (512, 1024, 1024)]
COPIED = 1 << 28
# Operations a core's cycle: AMX multiplies tiles of 16x64 and 64x16 in 16 cycles; VNNI and its
# forerunner fill two vector units of 64 or 32 bytes, the latter with three instructions a product.
PER_CYCLE = {"amx_int8": 2048, "avx512_vnni": 256, "avx_vnni": 128, "avx2": 43}


def measure(threads: int) -> dict[str, float]:
    """{"int8": operations a second, "copy": bytes a second}; about two seconds, in a process of
    its own, so that no thread of it spins while others are timed."""
    found = subprocess.check_output([sys.executable, __file__, str(threads)])
    limits: dict[str, float] = json.loads(found)
    return limits


def theory(machine: dict[str, Any]) -> dict[str, Any]:
    """Instruction set and operations a second, or nothing for a processor not in the table."""
    for name, per_cycle in PER_CYCLE.items():
        if name in machine["features"] and machine["mhz"]:
            top = per_cycle * machine["mhz"] * 1e6 * machine["threads"]
            return {"set": name, "per_cycle": per_cycle, "int8": top}
    return {}


def fastest(call: Callable[[], object], seconds: float) -> float:
    """Least seconds a call took, called for about `seconds`."""
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    return best


def product(rows: int, inner: int, columns: int, threads: int) -> onnxruntime.InferenceSession:
    """U8 x S8 -> float32 by the kernel that the bundle's products use."""
    draw = np.random.default_rng(0)
    weight = draw.integers(-127, 128, (inner, columns)).astype(np.int8)
    constants = [
        numpy_helper.from_array(weight, "w"),
        numpy_helper.from_array(np.float32(1), "s"),  # type: ignore[arg-type]
        numpy_helper.from_array(np.ones(columns, np.float32), "t"),
        numpy_helper.from_array(np.uint8(128), "z"),  # type: ignore[arg-type]
    ]
    node = helper.make_node(
        "MatMulIntegerToFloat", ["x", "w", "s", "t", "z"], ["y"], domain="com.microsoft"
    )
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [rows, inner])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns])],
        constants,
    )
    sets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, ir_version=10, opset_imports=sets)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def peak(threads: int) -> float:
    """INT8 operations a second, the best over BLOCKS."""
    best = 0.0
    for rows, inner, columns in BLOCKS:
        session = product(rows, inner, columns, threads)
        x = np.random.default_rng(1).integers(0, 256, (rows, inner)).astype(np.uint8)
        feeds = {"x": x}
        seconds = fastest(lambda s=session, f=feeds: s.run(None, f), 0.2)  # type: ignore[misc]
        best = max(best, 2 * rows * inner * columns / seconds)
    return best


def bandwidth(threads: int) -> float:
    """Bytes a second, read and written."""
    source = np.ones(COPIED, np.uint8)
    target = source.copy()  # its pages are there
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        seconds = fastest(lambda: list(pool.map(lambda pair: np.copyto(*pair), parts)), 0.5)
    return 2 * source.nbytes / seconds


def main() -> None:
    threads = int(sys.argv[1])
    print(json.dumps({"int8": peak(threads), "copy": bandwidth(threads)}))


if __name__ == "__main__":
    main()
