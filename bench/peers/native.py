"""The native engine, by instruction set, against ONNX Runtime: the same bundle, in one run.

    python -m bench.peers.native [BUNDLE] --rounds 5 --out bench/results/native-NAME.json

With --beside also another bundle on the first engine, such as the same model at another precision.

Every engine is a process of its own, stopped (SIGSTOP) except for its turn, so that nobody's
spinning threads cost anybody else. A turn is the median of calls for --seconds; in each round every
engine has one at every workload, and the first has one before and one after each of the others.
Ratio: another engine's time over the mean of the first's before and after it; the median over
rounds, with the least and the most. The peak is the first engine's own product on blocks that stay
in cache, all threads at once.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.peers.provenance import provenance
from qingyu import bundle
from qingyu.bundle import Manifest
from qingyu.engine.network import Network
from qingyu.query import Query

MIXED = [
    8,
    12,
    16,
    19,
    23,
    28,
    34,
    40,
    47,
    56,
    66,
    78,
    94,
    118,
    156,
    248,
]  # long tail of real lines
WORKLOADS = {"1x16": [16], "1x32": [32], "1x128": [128], "8x128": [128] * 8, "mixed": MIXED}
BLOCKS = [(16, 512, 2048), (48, 512, 2048), (96, 768, 768)]  # rows, inputs, outputs


def queries(manifest: Manifest, lengths: list[int]) -> list[Query]:
    """One masked place in each text of random words."""
    draw = np.random.default_rng(sum(lengths))
    head = next(name for name, head in manifest.heads.items() if head.kind == "masked-lm")
    return [
        Query(
            draw.integers(5, manifest.sizes.vocab_size, n),
            np.zeros(n, np.int64),
            np.array([n // 2]),
            head,
        )
        for n in lengths
    ]


def operations(manifest: Manifest, lengths: list[int]) -> float:
    """The least that WORKLOADS take: 2 for each pair of factors, the last layer for asked rows."""
    sizes, rows, tokens = manifest.sizes, len(lengths), sum(lengths)
    hidden, layers = sizes.hidden_size, sizes.num_layers
    each = 4 * hidden**2 + 2 * hidden * sizes.intermediate_size
    total = (layers - 1) * (2 * tokens * each + sum(4 * n * n * hidden for n in lengths))
    total += 4 * tokens * hidden**2 + 2 * rows * (each - 2 * hidden**2) + 4 * tokens * hidden
    return float(total + 2 * rows * hidden * (hidden + sizes.vocab_size))


def work(path: Path, seconds: float, threads: int) -> None:
    """The body of a process: a workload's name a line in, the median of its calls out."""
    manifest = bundle.read_manifest(path)
    network = Network(manifest, threads)
    asked = {name: queries(manifest, lengths) for name, lengths in WORKLOADS.items()}
    for line in sys.stdin:
        name = line.strip()
        took: list[float] = []
        if name == "peak":
            took.append(peak(threads))
        else:
            network.run(asked[name])
            end = time.perf_counter() + seconds
            while not took or time.perf_counter() < end:
                begin = time.perf_counter()
                network.run(asked[name])
                took.append(time.perf_counter() - begin)
        print(json.dumps(median(took)), flush=True)


def peak(threads: int) -> float:
    """INT8 operations a second of the engine's product, the best of BLOCKS, on all threads."""
    from qingyu.engine.native import chosen_set, library
    from qingyu.engine.native.structures import INPUTS, WEIGHTS, CProduct

    best = 0.0
    for rows, inputs, outputs in BLOCKS:
        weight = np.ones((outputs // 16, inputs // 4, 16, 4), np.int8)
        ones, sums = np.ones(outputs, np.float32), np.zeros(outputs, np.int32)
        steps = np.ones(inputs, np.float32)
        product = CProduct(
            *(each.ctypes.data for each in (weight, ones, sums, ones, steps)),
            outputs, inputs, WEIGHTS["int8"], INPUTS["fixed"],
        )  # fmt: skip
        x = np.ones((threads, rows, inputs), np.float32)
        y = np.empty((threads, rows, outputs), np.float32)

        def many(thread: int, product: CProduct = product, x: Any = x, y: Any = y) -> float:
            found = float("inf")
            rows = x.shape[1]
            for _ in range(200):
                begin = time.perf_counter()
                library.library().qy_multiply(
                    ctypes.byref(product), ctypes.c_void_p(x[thread].ctypes.data),
                    ctypes.c_void_p(y[thread].ctypes.data), rows, chosen_set(),
                )  # fmt: skip
                found = min(found, time.perf_counter() - begin)
            return found

        with ThreadPoolExecutor(threads) as pool:
            found = sum(1 / each for each in pool.map(many, range(threads)))
        best = max(best, 2.0 * rows * inputs * outputs * found)
    return best


class Engine:
    """One engine in a process, stopped but for its turns; its name is `onnx` or `native:SET`."""

    def __init__(self, name: str, path: Path, options: argparse.Namespace) -> None:
        engine, _, chosen = name.partition(":")
        given = {"QINGYU_ENGINE": engine, "QINGYU_INSTRUCTION_SET": chosen}
        own = ["--work", "--seconds", str(options.seconds), "--threads", str(options.threads)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.peers.native", str(path), *own],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **given, "OPENBLAS_NUM_THREADS": "1"},
        )
        self.turn("1x16")

    def turn(self, workload: str) -> float:
        """Seconds a call took."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write(workload + "\n")
        self._process.stdin.flush()
        found = float(self._process.stdout.readline())
        self._process.send_signal(signal.SIGSTOP)
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def main() -> None:
    options = arguments()
    if options.work:
        work(options.bundle, options.seconds, options.threads)
        return
    manifest = bundle.read_manifest(options.bundle)
    first, *others = options.engines
    engines = {name: Engine(name, options.bundle, options) for name in options.engines}
    for path in options.beside:
        others.append(name := f"{first} {path.name}")
        engines[name] = Engine(first, path, options)
    found: dict[str, Any] = {"kind": "engines", **provenance(options.threads)}
    found |= {"bundle": manifest.name, "first": first, "rounds": options.rounds, "peak": []}
    found["workloads"] = {
        name: {"operations": operations(manifest, lengths), "seconds": [], "ratios": {}}
        for name, lengths in WORKLOADS.items()
    }
    for _ in range(options.rounds):
        found["peak"].append(engines[first].turn("peak"))
        for workload, told in found["workloads"].items():
            before = engines[first].turn(workload)
            told["seconds"].append(before)
            for name in others:
                between, after = engines[name].turn(workload), engines[first].turn(workload)
                told["ratios"].setdefault(name, []).append(2 * between / (before + after))
                told["seconds"].append(before := after)
    for engine in engines.values():
        engine.close()
    show(found)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def show(found: dict[str, Any]) -> None:
    machine, top = found["machine"], median(found["peak"])
    print(f"{machine['cpu']} ({' '.join(machine['features'])}), {machine['threads']} threads")
    print(f"{found['bundle']} on {found['first']}; INT8 peak of its product {top / 1e9:.0f} GOPS")
    for name, told in found["workloads"].items():
        seconds = median(told["seconds"])
        line = f"{name:6}{seconds * 1e3:9.3f} ms {told['operations'] / seconds / top:5.0%} of peak"
        for other, ratios in told["ratios"].items():
            line += f"  {other} {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        print(line)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = bundle.find(bundle.DEFAULT)
    parser.add_argument("bundle", type=Path, nargs="?", default=default)
    parser.add_argument("--engines", nargs="+", default=["native", "onnx"])
    parser.add_argument("--beside", type=Path, nargs="+", default=[], help="other bundles")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of calls in a turn")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
