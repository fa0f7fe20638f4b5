"""Peers side by side on one checkpoint, interleaved; writes one JSON of results.

    python bench/peers/compare.py CHECKPOINT --texts LINES --out RESULTS.json [--rounds 5]
        [--threads 2] [--peers qingyu:int8 onnx_runtime:int8 ...]

CHECKPOINT is copied nowhere; what peers make of it lies beside it. LINES is a text file (or .xz)
whose lines are cut to the lengths of the workloads.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from environments import CACHE, ROOT, python

PEERS = [
    "qingyu:int8",
    "qingyu:fp32",
    "hugging_face:fp32",
    "hugging_face:bf16",
    "hugging_face:int8",
    "hugging_face:compile",
    "onnx_runtime:fp32",
    "onnx_runtime:int8",
    "openvino:fp32",
    "openvino:bf16",
    "openvino:int8",
    "ctranslate2:int8",
]
SETTLE = 0.25  # seconds for a peer's threads to stop spinning


@dataclass(frozen=True)
class Workload:
    """`texts` of `length` tokens each (0: as they come), `batch` at once, `repeat` times a turn."""

    name: str
    length: int
    texts: int
    batch: int
    repeat: int


WORKLOADS = [
    Workload("1x16", 16, 8, 1, 3),
    Workload("1x32", 32, 8, 1, 2),
    Workload("1x128", 128, 4, 1, 2),
    Workload("8x32", 32, 8, 8, 3),
    Workload("1x512", 512, 1, 1, 2),
    Workload("mixed x32", 0, 64, 32, 1),
]


def texts_for(workload: Workload, lines: list[str]) -> list[str]:
    """Lines with one `[MASK]` each, `length` tokens with [CLS] and [SEP]; one token a character."""
    draw = np.random.default_rng(workload.length)
    plain = ["".join(c for c in line if "\u4e00" <= c <= "\u9fff" or c in "，。") for line in lines]
    chosen = []
    for index in draw.permutation(len(plain)):
        text = plain[index]
        if workload.length:
            text = text * (workload.length // max(len(text), 1) + 1)
            text = text[: workload.length - 2]
        text = text[:500]
        if len(text) < 6:
            continue
        place = int(draw.integers(len(text)))
        chosen.append(f"{text[:place]}[MASK]{text[place + 1 :]}")
        if len(chosen) == workload.texts:
            break
    return chosen


class Peer:
    """A worker process and what it answered."""

    def __init__(self, name: str, checkpoint: Path, threads: int) -> None:
        self.name = name
        engine, variant = name.split(":")
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            "PEERS_EXPORT_PYTHON": str(python("onnx_runtime")),
        }
        worker = Path(__file__).parent / "worker.py"
        self.process = subprocess.Popen(
            [python(engine), worker, engine, variant, checkpoint, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(CACHE / f"{engine}-{variant}.log").open("wb"),
            env=environment,
            text=True,
        )
        self.ready = self._read()

    def run(self, workload: Workload, texts: list[str]) -> dict[str, Any]:
        assert self.process.stdin is not None
        command = {"texts": texts, "batch": workload.batch, "repeat": workload.repeat}
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self._read()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            engine, variant = self.name.split(":")
            log = (CACHE / f"{engine}-{variant}.log").read_text(errors="replace").strip()
            raise RuntimeError((log.splitlines() or ["no answer"])[-1])
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> None:
    options = arguments()
    lines = read_lines(options.texts)
    workloads = [(one, texts_for(one, lines)) for one in WORKLOADS]
    peers, missing = start(options.peers, options.checkpoint, options.threads)
    seconds: dict[str, dict[str, list[float]]] = {p.name: {} for p in peers}
    cpu: dict[str, dict[str, list[float]]] = {p.name: {} for p in peers}
    best: dict[str, dict[str, list[int]]] = {p.name: {} for p in peers}
    memory: dict[str, dict[str, int]] = {p.name: {} for p in peers}
    for turn in range(options.rounds):
        for workload, texts in workloads:
            for index in range(len(peers)):
                peer = peers[(index + turn) % len(peers)]
                answer = peer.run(workload, texts)
                each = median(answer["seconds"]) / len(texts)
                seconds[peer.name].setdefault(workload.name, []).append(each)
                cpu[peer.name].setdefault(workload.name, []).append(answer["cpu"] / len(texts))
                best[peer.name][workload.name] = answer["best"]
                memory[peer.name] = {"rss": answer["rss"], "peak": answer["peak"]}
                time.sleep(SETTLE)
        print(f"round {turn + 1} of {options.rounds}", flush=True)
    reference = next((n for n in ("hugging_face:fp32", "qingyu:fp32") if n in best), None)
    results = {
        "machine": machine(options.threads),
        "commit": commit(),
        "checkpoint": options.checkpoint.name,
        "rounds": options.rounds,
        "missing": missing,
        "reference": reference,
        "peers": {
            peer.name: {
                "ready_seconds": peer.ready["ready"],
                **memory[peer.name],
                "environment_bytes": folder_bytes(CACHE / peer.name.split(":")[0]),
                "seconds": seconds[peer.name],
                "cpu_seconds": cpu[peer.name],
                "agreement": agreement(best[peer.name], best.get(reference or "", {})),
            }
            for peer in peers
        },
    }
    for peer in peers:
        peer.close()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    table(results)


def start(names: list[str], checkpoint: Path, threads: int) -> tuple[list[Peer], dict[str, str]]:
    """Start peers one by one; those that fail, with the last line of their log."""
    peers, missing = [], {}
    for name in names:
        try:
            peers.append(Peer(name, checkpoint, threads))
            print(f"{name} ready in {peers[-1].ready['ready']:.1f} s", flush=True)
        except (RuntimeError, OSError) as error:
            missing[name] = str(error)
            print(f"{name} is missing: {error}", flush=True)
    return peers, missing


def agreement(found: dict[str, list[int]], reference: dict[str, list[int]]) -> float | None:
    """Share of texts whose best token is the reference's."""
    pairs = [
        a == b for name in reference for a, b in zip(found[name], reference[name], strict=True)
    ]
    return sum(pairs) / len(pairs) if pairs else None


def table(results: dict[str, Any]) -> None:
    names = [workload.name for workload in WORKLOADS]
    print(f"\n{'ms a text':24}" + "".join(f"{name:>11}" for name in names) + "   RSS MB  agree")
    for peer, found in results["peers"].items():
        cells = "".join(f"{median(found['seconds'][name]) * 1000:11.2f}" for name in names)
        share = "" if found["agreement"] is None else f"{found['agreement']:.1%}"
        print(f"{peer:24}{cells}{found['rss'] / 1e6:9.0f}  {share}")


def machine(threads: int) -> dict[str, Any]:
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":")[1].strip()
            break
    return {"cpu": model, "threads": threads, "python": platform.python_version()}


def commit() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def folder_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink())


def read_lines(path: Path) -> list[str]:
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [line.strip() for line in file]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--texts", type=Path, default=ROOT / "tests/golden/sentences.txt")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--peers", nargs="+", default=PEERS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
