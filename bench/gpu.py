"""Zero-shot on a GPU, saving by saving: memory of the GPU, speed and agreement.

    python -m bench.gpu CHECKPOINT [--out FILE] [--texts 256] [--rounds 5]

As `bench.savings`, whose texts, labels and checkpoints these are (`bert-base`: StructBERT-base's
shape with random weights): FP32 and FP16 with the pairs of one text at a time, then batches by
tokens of all texts, then texts of CHARACTERS. Beside it stands the claim that made us measure.
Needs an NVIDIA GPU and qingyu[cuda]; `--device cpu` runs the same graphs on the CPU, to try it out.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import savings
from bench.peers.provenance import provenance
from bench.savings import CHARACTERS, Variant
from qingyu import bundle
from qingyu.engine.cuda import CudaEngine, driver
from qingyu.engine.cuda.numbers import Kind
from qingyu.engine.cuda.session import Where
from qingyu.engine.network import Network
from qingyu.machine import available_cpus
from qingyu.numbers import FloatArray
from qingyu.query import Query

LABELS_AT_ONCE = 5  # the pairs of one text
VARIANTS = (
    Variant("FP32, a text at a time", "fp32", "fp32", LABELS_AT_ONCE),
    Variant("FP16, a text at a time", "fp16", "fp32", LABELS_AT_ONCE),
    Variant("FP16, batches of 8,192 tokens", "fp16", "fp32", 8192),
    Variant(f"FP16, the same, {CHARACTERS} characters", "fp16", "fp32", 8192, CHARACTERS),
)
CLAIM = "| claimed | 3200 → 1800 → 1200 → 900 | | 1.0 → 1.8 | 99.5% |"
POLL_SECONDS = 0.01


class Gpu:
    """What the first GPU's memory holds, polled while something runs."""

    def __init__(self) -> None:
        self.driver = ctypes.CDLL(driver.LIBRARY)
        context = ctypes.c_void_p()
        if self.driver.cuInit(0) or self.driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0):
            raise SystemExit("this machine has no NVIDIA GPU or driver")
        self.context = context

    def taken(self) -> int:
        """Bytes that are not free, by this process and others."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self.driver.cuCtxSetCurrent(self.context)
        self.driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
        return total.value - free.value

    def peak(self, call: Callable[[], Any]) -> tuple[Any, int]:
        """What `call` returns, and the most that is taken while it runs."""
        done, found = threading.Event(), [self.taken()]

        def watch() -> None:
            while not done.wait(POLL_SECONDS):
                found.append(self.taken())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            return call(), max(found)
        finally:
            done.set()
            thread.join()


def runner(variant: Variant, manifest: bundle.Manifest, where: Where) -> savings.Run:
    """What answers queries: on the GPU, or its graphs on the CPU."""
    network = Network(manifest, None)
    kind: Kind = "fp32" if variant.engine == "fp32" else "fp16"
    network.engine = CudaEngine(manifest, None, None, kind, where)
    if variant.batch > LABELS_AT_ONCE:
        return lambda queries: network.run(queries, variant.batch)

    def one_by_one(queries: Sequence[Query]) -> list[FloatArray]:
        parts = [queries[i : i + LABELS_AT_ONCE] for i in range(0, len(queries), LABELS_AT_ONCE)]
        return [answer for part in parts for answer in network.run_batch(part)]

    return one_by_one


def measured(
    variant: Variant, folder: Path, asked: Sequence[str], rounds: int, where: Where
) -> dict[str, Any]:
    """As `savings.measured`; `peak` is of the GPU's memory, beyond what others hold of it."""
    manifest = bundle.read_manifest(folder)

    def whole() -> Any:
        run = runner(variant, manifest, where)
        return savings.timed(variant, manifest, asked, rounds, run)

    if where == "cpu":
        return dict(whole())
    gpu = Gpu()
    before = gpu.taken()
    found, peak = gpu.peak(whole)
    return {**found, "peak": peak - before}


def child() -> None:
    given = json.load(sys.stdin)
    variant, folder = Variant(**given["variant"]), Path(given["folder"])
    print(json.dumps(measured(variant, folder, given["texts"], given["rounds"], given["where"])))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", help="a folder with an nli head, or bert-base")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    arguments = parser.parse_args()
    gpu = driver.first_gpu()
    if arguments.device == "cuda" and gpu is None:
        raise SystemExit("this machine has no NVIDIA GPU or driver; --device cpu tries it out")
    asked = savings.texts(arguments.texts)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        trained = savings.prepared(arguments.checkpoint, folder, {"fp32"})
        results = []
        for one in VARIANTS:
            given: dict[str, Any] = {"variant": asdict(one), "folder": str(folder / one.precision)}
            given |= {"texts": asked, "rounds": arguments.rounds, "where": arguments.device}
            found = savings.in_a_process("bench.gpu", given, sys.executable)
            results.append({"name": one.name, **found})
            print(one.name, [round(each, 2) for each in found["seconds"]], flush=True)
    print(savings.table(results, trained))
    print(CLAIM)
    if arguments.out:
        device = None if arguments.device == "cpu" or gpu is None else asdict(gpu)
        told = {"kind": "gpu", **provenance(available_cpus()), "gpu": device, "trained": trained}
        told |= {"lengths": [len(text) for text in asked], "variants": results}
        arguments.out.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    child() if sys.argv[1:] == ["--child"] else main()
