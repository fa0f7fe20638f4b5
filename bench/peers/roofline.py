"""How far a bundle's encoder alone is from what this machine can do, measured in one run.

    python -m bench.peers.roofline CHECKPOINT --out bench/results/roofline-NAME.json

The encoder of the INT8 bundle is called through the engine, without tokeniser and head; shares of
what whole peers attain are in the results of compare.py.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.peers.least_work import least
from bench.peers.limits import fastest, measure, theory
from bench.peers.peer_files import files
from bench.peers.provenance import provenance
from qingyu.bundle import ENCODER, read_manifest
from qingyu.engine.batch import pack
from qingyu.engine.session import Session
from qingyu.query import Query

SHAPES = [(1, 16), (1, 32), (1, 128), (8, 32), (8, 128), (1, 512)]
SECONDS = 0.3  # of calls for each shape and round; the fastest counts, as it does for the peak


def main() -> None:
    options = arguments()
    threads = len(os.sched_getaffinity(0))
    bundle = files(options.checkpoint, "qingyu:int8")
    sizes = read_manifest(bundle).sizes
    encoder = Session(bundle / ENCODER)
    draw = np.random.default_rng(0)
    found: dict[str, Any] = {"kind": "roofline", **provenance(threads)}
    found |= {"checkpoint": options.name or options.checkpoint.name, "rounds": options.rounds}
    found |= {"theory": theory(found["machine"]), "limits": {"int8": [], "copy": []}, "shapes": {}}
    for _ in range(options.rounds):
        limits = measure(threads)
        for name, value in limits.items():
            found["limits"][name].append(value)
        for batch, length in SHAPES:
            ids = draw.integers(5, sizes.vocab_size, (batch, length))
            types, asked = np.zeros(length, np.int64), np.array([1])
            feeds = pack([Query(row, types, asked) for row in ids])
            seconds = fastest(lambda f=feeds: encoder.run(f), SECONDS)  # type: ignore[misc]
            work = least(options.checkpoint, [length] * batch, head=False)
            empty = {"operations": work.operations, "bytes": work.bytes, "seconds": [], "share": []}
            shape = found["shapes"].setdefault(f"{batch}x{length}", empty)
            shape["seconds"].append(seconds)
            shape["share"].append(work.operations / seconds / limits["int8"])
    show(found)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def show(found: dict[str, Any]) -> None:
    top = {name: median(values) for name, values in found["limits"].items()}
    print(f"INT8 peak {top['int8'] / 1e9:.0f} GOPS, copy {top['copy'] / 1e9:.1f} GB/s")
    print("shape         ms      GOP   share of peak (min-max)")
    for name, shape in found["shapes"].items():
        share = shape["share"]
        print(
            f"{name:8}{median(shape['seconds']) * 1000:8.2f} {shape['operations'] / 1e9:8.2f}"
            f"   {median(share):.0%} ({min(share):.0%}-{max(share):.0%})"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="attained share of the machine's INT8 peak")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--name", help="what to call the checkpoint; default: its folder's name")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.checkpoint = options.checkpoint.resolve()
    return options


if __name__ == "__main__":
    main()
