"""Where an INT8 bundle's encoder spends its time: ONNX Runtime's profiler, summed by kind of node.

    python -m bench.peers.profile_graph CHECKPOINT --out bench/results/profile-NAME.json

One thread, so that a node's time is its work; the encoder alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime

from bench.peers.peer_files import files
from bench.peers.provenance import provenance
from qingyu.bundle import ENCODER, read_manifest
from qingyu.engine import heap
from qingyu.engine.batch import Feeds, pack
from qingyu.query import Query

SHAPES = [(1, 16), (1, 128), (8, 128)]
WARM, SECONDS, LEAST = 0.3, 1.5, 5  # uncounted and counted seconds a shape; runs at least
SUFFIX = "_kernel_time"


def session(graph: Path, folder: Path) -> onnxruntime.InferenceSession:
    """The engine's own options, with a profile and one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def profile(graph: Path, vocabulary: int, batch: int, length: int) -> dict[str, Any]:
    """Milliseconds of the median run, and of its nodes by kind, each node's median."""
    draw = np.random.default_rng(0)
    types, asked = np.zeros(length, np.int64), np.array([1])
    ids = draw.integers(5, vocabulary, (batch, length))
    feeds = pack([Query(row, types, asked) for row in ids])
    with tempfile.TemporaryDirectory() as folder:
        encoder = session(graph, Path(folder))
        warm = len(walls(encoder, feeds, WARM))
        found = walls(encoder, feeds, SECONDS)
        events = json.loads(Path(encoder.end_profiling()).read_text())
    return {"milliseconds": median(found) * 1000, "nodes": by_kind(events, warm)}


def walls(encoder: onnxruntime.InferenceSession, feeds: Feeds, seconds: float) -> list[float]:
    """Seconds of each run, for about so many seconds in all."""
    found: list[float] = []
    while len(found) < LEAST or sum(found) < seconds:
        begin = time.perf_counter()
        encoder.run(None, feeds)
        found.append(time.perf_counter() - begin)
    return found


def by_kind(events: list[dict[str, Any]], warm: int) -> dict[str, dict[str, float]]:
    """kind of node -> its number in the graph and milliseconds a run, after `warm` runs."""
    microseconds: dict[tuple[str, str], list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(SUFFIX):
            node = event["args"]["op_name"], event["name"]
            microseconds.setdefault(node, []).append(event["dur"])
    spent: Counter[str] = Counter()
    number: Counter[str] = Counter()
    for (kind, _), found in microseconds.items():
        number[kind] += 1
        spent[kind] += median(found[warm:])  # type: ignore[assignment]
    return {
        kind: {"count": number[kind], "milliseconds": total / 1000}
        for kind, total in spent.most_common()
    }


def show(name: str, found: dict[str, Any]) -> None:
    total = sum(node["milliseconds"] for node in found["nodes"].values())
    print(f"{name}: {found['milliseconds']:.2f} ms, one thread; in nodes {total:.2f} ms")
    for kind, node in found["nodes"].items():
        print(f"  {node['milliseconds'] / total:6.1%}  {kind} x{node['count']}")


def main() -> None:
    parser = argparse.ArgumentParser(description="time of the encoder by kind of node")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--name", help="what to call the checkpoint; default: its folder's name")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    bundle = files(options.checkpoint.resolve(), "qingyu:int8")
    vocabulary = read_manifest(bundle).sizes.vocab_size
    heap.keep()
    found: dict[str, Any] = {"kind": "profile", **provenance(1)}
    found |= {"checkpoint": options.name or options.checkpoint.resolve().name, "shapes": {}}
    for batch, length in SHAPES:
        name = f"{batch}x{length}"
        found["shapes"][name] = profile(bundle / ENCODER, vocabulary, batch, length)
        show(name, found["shapes"][name])
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
