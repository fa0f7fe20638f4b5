"""Eight bundles of BERT-base size served in turn by one process that may not have 1 GB.

    python -m tests.faults.eight_models BUNDLE [--limit-mb 1024] [--budget 600MB]

BUNDLE is copied eight times under different names and digests. The kernel holds the service to the
limit (RLIMIT_DATA: all private writable memory), the registry to the budget. Each round asks every
model once and says what was resident; ends with status 1 if an answer is not 200, or if after
unloading everything more than a tenth of what the first model added stays.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.process import Served

PAGE = os.sysconf("SC_PAGE_SIZE")
NAMES = [f"model-{number}" for number in range(8)]


def copies(bundle: Path, folder: Path) -> None:
    """Hard links where they can be, so that eight take the room of one; each its own manifest."""
    for name in NAMES:
        (folder / name).mkdir()
        for path in bundle.iterdir():
            if path.name == "manifest.json":
                manifest = json.loads(path.read_text("utf-8"))
                manifest["name"] = name
                (folder / name / path.name).write_text(json.dumps(manifest), "utf-8")
                continue
            try:
                (folder / name / path.name).hardlink_to(path)
            except OSError:
                shutil.copy(path, folder / name)


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6


class Client:
    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        content = None if body is None else json.dumps(body)
        self.connection.request(method, path, content, {"content-type": "application/json"})
        response = self.connection.getresponse()
        return response.status, response.read()

    def ready(self) -> bool:
        try:
            return self.ask("GET", "/health/ready")[0] == 200
        except OSError:
            self.connection.close()
            return False


def main() -> int:
    parser = argparse.ArgumentParser(description="eight models in one gigabyte")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--limit-mb", type=int, default=1024)
    parser.add_argument("--budget", default="600MB")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.bundle.resolve().parent) as folder:
        copies(options.bundle, Path(folder))
        limit = options.limit_mb << 20
        service = Served(
            "--cache", "0", "--models", folder, "--memory-budget", options.budget,
            "--log-level", "error", stderr=None,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
        )  # fmt: skip
        try:
            return drive(service.process, Client(service.port), options.rounds)
        finally:
            service.process.send_signal(signal.SIGTERM)
            service.process.wait(60)


def drive(process: subprocess.Popen[bytes], client: Client, rounds: int) -> int:
    while not client.ready():
        if process.poll() is not None:
            return 1
        time.sleep(0.1)
    faults = 0
    peak = 0.0
    empty = first = 0.0
    for number in range(rounds):
        begin = time.monotonic()
        for name in NAMES:
            text = f"今天{number}天气真[MASK]啊，{name}。"
            before = rss_mb(process.pid)
            status, content = client.ask("POST", "/v1/fill-mask", {"text": text, "model": name})
            if status != 200:
                faults += 1
                print(name, status, content.decode()[:200])
            if not empty:
                empty, first = before, rss_mb(process.pid) - before
            peak = max(peak, rss_mb(process.pid))
        took = time.monotonic() - begin
        now = rss_mb(process.pid)
        print(f"round {number + 1}: {took / len(NAMES):.2f} s a model, RSS {now:.0f} MB")
    for name in NAMES:
        client.ask("POST", f"/v2/repository/models/{name}/unload")
    left = rss_mb(process.pid)
    high = Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    print(
        f"before {empty:.0f} MB, first model +{first:.0f} MB, peak {int(high) / 1024:.0f} MB, "
        f"after unloading all {left:.0f} MB"
    )
    if left > empty + 0.1 * first:
        print("memory was not given back")
        faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
