"""What a bundle costs on this machine: memory and time, measured in a process of its own.

    python -m qingyu.build.measure.footprint FOLDER '[[1, 16], [8, 32]]'

A process of its own, because what a bundle holds cannot be told apart from what everything else
in a process holds. Resident memory is told by Linux alone; elsewhere it is 0.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qingyu.bundle import Manifest
from qingyu.errors import BundleError
from qingyu.machine import forget_peak, peak_bytes, resident_bytes

RUNS, LEAST_SECONDS, ENOUGH_SECONDS = 5, 0.3, 2.0


@dataclass(frozen=True)
class Shape:
    """One size of batch: `bytes` is what running it takes beyond what the idle bundle holds."""

    batch: int
    length: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Footprint:
    """`runtime`: bytes resident before any bundle; `loaded`: after the first answers."""

    runtime: int
    loaded: int
    shapes: tuple[Shape, ...]


def measure(
    folder: Path, shapes: Sequence[tuple[int, int]], threads: int | None = None
) -> Footprint:
    """Load the bundle in a new process and run it at each (batch, tokens).

    Seconds are the median of five runs or more, of less where they take long. Raises BundleError
    where the process fails.
    """
    command = [sys.executable, "-m", __name__, str(folder), json.dumps(list(shapes))]
    if threads:
        command.append(str(threads))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["?"])[-1]
        raise BundleError(
            f"无法测量 {folder}：{last}", f"Cannot measure the bundle {folder}: {last}"
        )
    told = json.loads(done.stdout)
    rows = tuple(Shape(*row) for row in told["shapes"])
    return Footprint(told["runtime"], told["loaded"], rows)


def estimated_activations(manifest: Manifest, batch: int, length: int) -> int:
    """Bytes that `batch` texts of `length` tokens take while they run, from the sizes alone.

    The widest moment of a layer is one of two: attention, with its float32 queries, keys and values
    as they are multiplied, laid out in rectangles and once more by heads, its input and output, and
    every head's scores before and after the softmax; or the feed-forward, with its float32 inner
    rows and their quantised copy.
    """
    sizes, tokens = manifest.sizes, batch * length
    attention = 4 * tokens * (11 * sizes.hidden_size + 2 * sizes.num_heads * length)
    feed_forward = tokens * (4 * 2 * sizes.hidden_size + 9 * sizes.intermediate_size)
    return max(attention, feed_forward)


def _main(folder: str, shapes: str, threads: str = "0") -> None:
    import numpy as np

    from qingyu import bundle
    from qingyu.engine.network import Network
    from qingyu.query import Query
    from qingyu.text.tokenizer import Tokenizer

    manifest = bundle.read_manifest(Path(folder))
    runtime = resident_bytes()
    tokenizer = Tokenizer(manifest.path / bundle.TOKENIZER)
    network = Network(manifest, int(threads) or None)
    draw = np.random.default_rng(0)

    def queries(batch: int, length: int, head: str) -> list[Query]:
        ids = draw.integers(
            0, min(tokenizer.vocab_size, manifest.sizes.vocab_size), (batch, length)
        )
        zeros, asked = np.zeros(length, np.int64), np.array([min(1, length - 1)])
        if head and manifest.heads[head].kind == "text2text":
            asked = np.arange(length)
        return [Query(row, zeros, asked, head) for row in ids]

    heads = list(manifest.heads) or [""]
    for head in heads:
        network.run(queries(1, 16, head))
    loaded = resident_bytes()
    rows = []
    for batch, length in json.loads(shapes):
        asked = queries(batch, length, heads[0])
        network.run(asked, batch * length)
        forget_peak()
        before, times = resident_bytes(), list[float]()
        while (len(times) < RUNS or sum(times) < LEAST_SECONDS) and sum(times) < ENOUGH_SECONDS:
            start = time.perf_counter()
            network.run(asked, batch * length)
            times.append(time.perf_counter() - start)
        grown = max(0, peak_bytes() - before)
        rows.append((batch, length, grown, statistics.median(times)))
    print(json.dumps({"runtime": runtime, "loaded": loaded, "shapes": rows}))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    _main(*sys.argv[1:])
