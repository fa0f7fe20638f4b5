"""Our service beside the usual ones on the same weights, in rounds, on this machine.

    .venv/bin/python -m bench.load_against CHECKPOINT --out bench/results/served-default.json
    .venv/bin/python -m bench.load_against CHECKPOINT --against --variant="--workers 2"

Peers: Flask under gunicorn, a worker process a CPU with one thread each, in front of transformers
FP32 and of ONNX Runtime on a stock INT8 graph. All are up the whole time; in each round each has a
turn, in an order that turns, under the same clients asking POST /predict. Environments and graphs
are those of bench/peers (`environments.py hugging_face onnx_runtime make_onnx make_qingyu`).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import median

from bench.figures import ROOT, describe
from bench.load import HEADER, Row, line, measure
from bench.peers import environments, peer_files
from bench.processes import family
from bench.serving import free_port, running

SERVICES = ROOT / "bench" / "services"
FLASK = ROOT / ".cache" / "services"  # flask and gunicorn, for the peers' interpreters to find
OURS = "qingyu"
PEERS = {
    "flask, transformers fp32": ("flask_transformers", "hugging_face", ""),
    "flask, onnxruntime int8": ("flask_onnx", "onnx_runtime", "onnx_runtime:int8"),
    "flask, onnxruntime fp32": ("flask_onnx", "onnx_runtime", "onnx_runtime:fp32"),
}


def serving(
    command: list[str], environment: dict[str, str], port: int
) -> AbstractContextManager[int]:
    """A service that answers POST /predict; ended afterwards."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, **environment}
    return running(command, lambda: answers(port), cwd=SERVICES, env=environment, **quiet)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps({"text": "今天天气真[MASK]啊。"})
    try:
        connection.request("POST", "/predict", body, {"content-type": "application/json"})
        return len(json.load(connection.getresponse())["results"]) == 5
    except OSError:
        return False
    finally:
        connection.close()


def ours(bundle: Path, port: int, flags: str = "") -> list[str]:
    command = [sys.executable, "-m", "qingyu", "serve", "--port", str(port), "--cache", "0"]
    return [*command, "--log-level", "warning", "--model", str(bundle), *flags.split()]


def theirs(name: str, checkpoint: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a peer's service."""
    module, engine, graph = PEERS[name]
    environment = {
        "PYTHONPATH": str(FLASK),
        "CHECKPOINT": str(checkpoint),
        "THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    }
    if graph:
        environment["GRAPH"] = str(peer_files.files(checkpoint, graph) / "model.onnx")
    command = [str(environments.python(engine)), "-m", "gunicorn", f"{module}:app"]
    workers = len(os.sched_getaffinity(0))
    return [*command, "-w", str(workers), "-b", f"127.0.0.1:{port}"], environment


def install() -> None:
    if not (FLASK / "flask").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(FLASK)]
        subprocess.run([*pip, "flask", "gunicorn"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--bundle", type=Path, help="ours, if it is built already")
    parser.add_argument("--against", nargs="*", choices=PEERS, default=list(PEERS)[:2])
    parser.add_argument(
        "--variant", action="append", default=[], help="one more of ours, with these flags"
    )
    parser.add_argument("--users", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--warm-up", type=float, default=1.5)
    parser.add_argument("--length", type=int, default=16, help="tokens of every text; 0: a mixture")
    parser.add_argument("--processes", type=int, default=2, help="client processes")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.path, options.hammer, options.key = "/predict", False, ""
    options.length = options.length or None
    checkpoint = options.checkpoint.resolve()
    install()

    rows: dict[str, list[Row]] = {OURS: []}
    missing: dict[str, str] = {}
    places: dict[str, tuple[int, int]] = {}
    print(describe())
    with ExitStack() as stack:
        port = free_port()
        bundle = options.bundle or peer_files.files(checkpoint, "qingyu:int8")
        places[OURS] = (port, stack.enter_context(serving(ours(bundle.resolve(), port), {}, port)))
        for flags in options.variant:
            port, name = free_port(), f"{OURS} {flags}"
            pid = stack.enter_context(serving(ours(bundle.resolve(), port, flags), {}, port))
            places[name], rows[name] = (port, pid), []
        for name in options.against:
            port = free_port()
            try:
                command, environment = theirs(name, checkpoint, port)
            except peer_files.MakingError as error:
                missing[name] = str(error)
                print(f"{name}: {error}")
                continue
            pid = stack.enter_context(serving(command, environment, port))
            places[name], rows[name] = (port, pid), []
        names = list(places)
        print(f"{'service':<28}{HEADER}")
        for turn in range(options.rounds):
            for users in options.users:
                for index in range(len(names)):
                    name = names[(index + turn) % len(names)]
                    port, pid = places[name]
                    options.url = f"http://127.0.0.1:{port}"
                    rows[name].append(measure(options, users, family(pid)))
                    print(f"{name:<28}{line(rows[name][-1])}", flush=True)
    for users in options.users:
        print(f"{users} users:", told(rows, users))
    if options.out:
        record = {
            "kind": "served",
            "machine": describe(),
            "checkpoint": checkpoint.name,
            "length": options.length,
            "ours": OURS,
            "services": {
                name: {"rows": [asdict(r) for r in found]} for name, found in rows.items()
            },
            "missing": missing,
        }
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")


def told(rows: dict[str, list[Row]], users: int) -> str:
    """Ours over each peer within a round: the median, the least and the most."""
    mine = [row.per_second for row in rows[OURS] if row.users == users]
    parts = []
    for name in rows:
        others = [row.per_second for row in rows[name] if row.users == users]
        if name == OURS or not all(others):
            continue
        ratios = [a / b for a, b in zip(mine, others, strict=True)]
        parts.append(f"{median(ratios):.2f}x {name} ({min(ratios):.2f}-{max(ratios):.2f})")
    return "; ".join(parts)


if __name__ == "__main__":
    main()
