"""How far a bundle's encoder is from what this machine can do, measured in one run.

    python bench/peers/roofline.py BUNDLE [--rounds 5]

Peak: ONNX Runtime's own INT8 matrix product on blocks that stay in cache, all threads; the best of
several block sizes. Bandwidth: copying an array far larger than the caches, bytes read and written.
Least work: multiplications and additions of every matrix product and of attention, 2 each; least
bytes: every weight once. Attained share: operations per second over the peak.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from qingyu.bundle import ENCODER, Sizes, read_manifest
from qingyu.engine.batch import pack
from qingyu.engine.session import Session
from qingyu.types import Query

BLOCKS = [(128, 768, 768), (256, 512, 1536), (256, 768, 3072), (512, 1024, 1024)]
SHAPES = [(1, 16), (1, 32), (1, 128), (8, 32), (8, 128), (1, 512)]


def fastest(call: Callable[[], object], seconds: float = 0.5) -> float:
    """Least seconds a call took, called for about `seconds`."""
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    return best


def product(rows: int, inner: int, columns: int) -> onnxruntime.InferenceSession:
    """U8 x S8 -> float32 by the kernel that the bundle's products use."""
    draw = np.random.default_rng(0)
    weight = draw.integers(-127, 128, (inner, columns)).astype(np.int8)
    constants = [
        numpy_helper.from_array(weight, "w"),
        numpy_helper.from_array(np.float32(1), "s"),
        numpy_helper.from_array(np.ones(columns, np.float32), "t"),
        numpy_helper.from_array(np.uint8(128), "z"),
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
    options.use_per_session_threads = False
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def peak() -> float:
    """INT8 operations a second, the best over BLOCKS."""
    best = 0.0
    for rows, inner, columns in BLOCKS:
        session = product(rows, inner, columns)
        x = np.random.default_rng(1).integers(0, 256, (rows, inner)).astype(np.uint8)
        feeds = {"x": x}
        seconds = fastest(lambda s=session, f=feeds: s.run(None, f))  # type: ignore[misc]
        best = max(best, 2 * rows * inner * columns / seconds)
    return best


def bandwidth() -> float:
    """Bytes a second, read and written, of one thread copying 256 MB."""
    source = np.ones(1 << 28, np.uint8)
    target = np.empty_like(source)
    return 2 * source.nbytes / fastest(lambda: np.copyto(target, source), 1.0)


def operations(sizes: Sizes, batch: int, length: int, rows: int) -> float:
    """Least operations of the encoder with `rows` asked in all: the last layer computes keys and
    values for every token, everything else for the rows alone.
    """
    hidden, wide, tokens = sizes.hidden_size, sizes.intermediate_size, batch * length
    full = 2 * tokens * (4 * hidden * hidden + 2 * hidden * wide)
    full += 4 * tokens * length * hidden
    last = 4 * tokens * hidden * hidden + 2 * rows * (2 * hidden * hidden + 2 * hidden * wide)
    last += 4 * rows * length * hidden
    return (sizes.num_layers - 1) * full + last


def main() -> None:
    parser = argparse.ArgumentParser(description="attained share of the machine's INT8 peak")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    manifest = read_manifest(options.bundle)
    encoder = Session(options.bundle / ENCODER)
    draw = np.random.default_rng(0)
    shares: dict[tuple[int, int], list[float]] = {shape: [] for shape in SHAPES}
    times: dict[tuple[int, int], list[float]] = {shape: [] for shape in SHAPES}
    peaks, copies = [], []
    for _ in range(options.rounds):
        peaks.append(peak())
        copies.append(bandwidth())
        for batch, length in SHAPES:
            ids = draw.integers(5, manifest.sizes.vocab_size, (batch, length))
            types, asked = np.zeros(length, np.int64), np.array([1])
            feeds = pack([Query(row, types, asked) for row in ids])
            seconds = fastest(lambda f=feeds: encoder.run(f))  # type: ignore[misc]
            times[batch, length].append(seconds)
            work = operations(manifest.sizes, batch, length, batch)
            shares[batch, length].append(work / seconds / peaks[-1])
    print(f"INT8 peak {median(peaks) / 1e9:.0f} GOPS, copy {median(copies) / 1e9:.1f} GB/s")
    print("shape      ms      GOP   share of peak (min-max)")
    for (batch, length), found in shares.items():
        work = operations(manifest.sizes, batch, length, batch)
        print(
            f"{batch}x{length:<6} {median(times[batch, length]) * 1000:7.2f} {work / 1e9:7.2f}"
            f"   {median(found):.0%} ({min(found):.0%}-{max(found):.0%})"
        )


if __name__ == "__main__":
    main()
