"""Peers side by side on one checkpoint, interleaved; writes one JSON of results.

    python -m bench.peers.compare CHECKPOINT --texts LINES --out bench/results/NAME.json
        [--task embed] [--rounds 5] [--threads 2] [--peers onnx_runtime:int8 ...]

What peers make of CHECKPOINT lies under .cache/peers/made. LINES is a text file (or .xz) whose
lines are cut to the lengths of the workloads.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from bench.peers.environments import ROOT, folder_bytes, installed_bytes, problem, versions
from bench.peers.least_work import least
from bench.peers.limits import measure, theory
from bench.peers.peer import Peer, PeerError
from bench.peers.peer_files import MakingError, files
from bench.peers.provenance import provenance
from bench.peers.workloads import WORKLOADS, Workload, judged, read_lines, texts_for, tokens

OURS = "qingyu:int8"
PEERS = {
    "fill-mask": [
        OURS,
        "qingyu:fp32",
        "hugging_face:fp32",
        "hugging_face:bf16",
        "hugging_face:int8",
        "hugging_face:compile",
        "onnx_runtime:fp32",
        "onnx_runtime:fused",
        "onnx_runtime:int8",
        "onnx_runtime:fused_int8",
        "openvino:fp32",
        "openvino:bf16",
        "openvino:weights",
        "openvino:dynamic",
        "openvino:int8",
        "ctranslate2:int8",
        "infinity:torch",
        "fastembed:fp32",
    ],
    "embed": [
        OURS,
        "qingyu:fp32",
        "hugging_face:fp32",
        "hugging_face:bf16",
        "infinity:torch",
        "fastembed:fp32",
    ],
}
REFERENCES = ("hugging_face:fp32", "qingyu:fp32")
STARTS = 3  # times a peer is started, as long as they take less than STARTING in all
STARTING = 8.0  # seconds
REASON = 200  # characters kept of why a peer is missing
SLICE = 0.15  # seconds of calls a turn


def start(name: str, options: argparse.Namespace) -> tuple[Peer, dict[str, Any]]:
    """A peer that has answered once, and what that took. Raises MakingError and PeerError."""
    engine = name.split(":")[0]
    if reason := problem(engine):
        raise PeerError(reason)
    made = files(options.checkpoint, name)
    seconds: list[float] = []
    while True:
        peer = Peer(name, options.task, made, options.checkpoint, options.threads)
        seconds.append(peer.start_seconds)
        if len(seconds) == STARTS or sum(seconds) > STARTING:
            break
        peer.close()
    return peer, {
        "start_seconds": seconds,
        "versions": versions(engine),
        "installed_bytes": installed_bytes(engine),
        "model_bytes": folder_bytes(made),
        "rss_idle": peer.idle["rss"],
        "seconds": {},
        "ratios": {},
        "cpu_seconds": {},
    }


def turns(
    workload: Workload, texts: list[str], ours: Peer, others: Sequence[Peer]
) -> dict[str, tuple[list[float], list[float], list[float]]]:
    """One round: name -> (seconds a text, CPU seconds a text, ratios to ours beside it).

    Ours has a turn before and after each other peer, so that a machine that slows down for a while
    slows both sides of a ratio.
    """

    def one(peer: Peer) -> dict[str, Any]:
        return peer.ask(texts=texts, batch=workload.batch, seconds=SLICE)

    mine = [one(ours)]
    found = {}
    for peer in others:
        answer = one(peer)
        mine.append(one(ours))
        ratio = answer["each"] / mean(turn["each"] for turn in mine[-2:])
        found[peer.name] = ([answer["each"]], [answer["cpu"]], [ratio])
    found[ours.name] = ([turn["each"] for turn in mine], [turn["cpu"] for turn in mine], [1.0])
    return found


def agreement(task: str, found: Any, reference: Any) -> dict[str, float]:
    """How far answers are the reference's: shares of best tokens and of the best five, or the
    cosine of vectors, mean and least."""
    if task == "embed":
        cosines = (np.asarray(found) * np.asarray(reference)).sum(axis=1)
        return {"cosine": float(cosines.mean()), "least_cosine": float(cosines.min())}
    pairs = list(zip(found, reference, strict=True))
    first = mean(a[0][0] == b[0][0] for a, b in pairs)
    shared = mean(len({i for i, _ in a} & {i for i, _ in b}) / len(b) for a, b in pairs)
    moved = max(abs(dict(map(tuple, b)).get(a[0][0], 0.0) - a[0][1]) for a, b in pairs)
    return {"top1": first, "top5": shared, "moved": moved}


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # and let no stopped peer stay
    lines = read_lines(options.texts)
    masks = options.task == "fill-mask"
    workloads = [(one, texts_for(one, lines, masks)) for one in WORKLOADS]
    results: dict[str, Any] = {
        "kind": "peers",
        "task": options.task,
        **provenance(options.threads),
        "checkpoint": options.name or options.checkpoint.name,
        "trained": not (options.checkpoint / "random").exists(),
        "texts": options.texts.name,
        "rounds": options.rounds,
        "ours": OURS,
        "missing": {},
        "work": {one.name: work(options, one, texts) for one, texts in workloads},
        "limits": {"int8": [], "copy": []},
        "peers": {},
    }
    results["theory"] = theory(results["machine"])
    begin = time.perf_counter()
    peers: dict[str, Peer] = {}

    def drop(name: str, reason: object) -> None:
        results["missing"][name] = str(reason)[:REASON]
        results["peers"].pop(name, None)
        if gone := peers.pop(name, None):
            gone.close()
        print(f"{name} is missing: {reason}", flush=True)

    try:
        for name in options.peers or PEERS[options.task]:
            try:
                peers[name], results["peers"][name] = start(name, options)
                took = median(results["peers"][name]["start_seconds"])
                print(f"{name} answers {took:.2f} s after its start", flush=True)
            except (MakingError, PeerError) as error:
                drop(name, error)
        if OURS not in peers:
            raise SystemExit(f"{OURS} does not run: {results['missing'][OURS]}")
        for name, reason in try_all(peers, workloads).items():
            drop(name, reason)
        judge(peers, results, judged(lines, masks))
        ours = peers[OURS]
        for turn in range(options.rounds):
            for limit, value in measure(options.threads).items():
                results["limits"][limit].append(value)
            for workload, texts in workloads:
                others = order([peer for peer in peers.values() if peer is not ours], turn)
                for name, lists in turns(workload, texts, ours, others).items():
                    fields = ("seconds", "cpu_seconds", "ratios")
                    for field, values in zip(fields, lists, strict=True):
                        kept = results["peers"][name][field].setdefault(workload.name, [])
                        kept.append(median(values))
            minutes = (time.perf_counter() - begin) / 60
            print(f"round {turn + 1} of {options.rounds}, {minutes:.1f} minutes", flush=True)
        for name, peer in peers.items():
            memory = peer.memory()
            results["peers"][name] |= {"rss_after": memory["rss"], "rss_peak": memory["peak"]}
    finally:
        for peer in peers.values():
            peer.close()
    results["minutes"] = round((time.perf_counter() - begin) / 60, 1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    table(results)


def work(options: argparse.Namespace, workload: Workload, texts: list[str]) -> dict[str, float]:
    """The least work of one text of a workload, a batch's weights shared by its texts."""
    lengths = [tokens(text) for text in texts[: workload.batch]]
    found = least(options.checkpoint, lengths, head=options.task == "fill-mask")
    return {name: value / workload.batch for name, value in asdict(found).items()}


def try_all(peers: dict[str, Peer], workloads: list[tuple[Workload, list[str]]]) -> dict[str, str]:
    """Let each peer do one batch of each workload, untimed: name -> why it cannot."""
    failed = {}
    for name, peer in peers.items():
        for workload, texts in workloads:
            try:
                peer.ask(texts=texts[: workload.batch], batch=workload.batch)
            except PeerError as error:
                failed[name] = f"{workload.name}: {error}"
                break
    return failed


def judge(peers: dict[str, Peer], results: dict[str, Any], texts: list[str]) -> None:
    """Compare the peers' answers with the reference's; on trained weights only."""
    reference = next((name for name in REFERENCES if name in peers), None)
    if not results["trained"] or reference is None:
        return
    results["reference"] = reference
    answers = {name: peer.ask(texts=texts, batch=8)["answers"] for name, peer in peers.items()}
    for name, found in answers.items():
        results["peers"][name]["agreement"] = agreement(results["task"], found, answers[reference])


def order(peers: list[Peer], turn: int) -> list[Peer]:
    """Another one first each round, and every other round backwards."""
    first = turn % max(len(peers), 1)
    turned = peers[first:] + peers[:first]
    return turned[::-1] if turn % 2 else turned


def table(results: dict[str, Any]) -> None:
    names = [workload.name for workload in WORKLOADS]
    print(f"\n{'ratio to ours':24}" + "".join(f"{name:>11}" for name in names) + "   RSS MB")
    for peer, found in results["peers"].items():
        cells = "".join(f"{median(found['ratios'][name]):11.2f}" for name in names)
        print(f"{peer:24}{cells}{found['rss_after'] / 1e6:9.0f}")
    found = results["peers"][OURS]["seconds"]
    print(f"{'ours, ms a text':24}" + "".join(f"{median(found[n]) * 1e3:11.2f}" for n in names))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--task", choices=sorted(PEERS), default="fill-mask")
    parser.add_argument("--texts", type=Path, default=ROOT / "tests/golden/sentences.txt")
    parser.add_argument("--name", help="what to call the checkpoint; default: its folder's name")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--peers", nargs="+", help=f"besides {OURS}; default: all of the task")
    options = parser.parse_args()
    options.checkpoint = options.checkpoint.resolve()
    if options.peers and OURS not in options.peers:
        options.peers.insert(0, OURS)
    return options


if __name__ == "__main__":
    main()
