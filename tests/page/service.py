"""The real service as a process of its own, as people start it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

START = 60  # seconds it may take to be ready on a very busy machine


@contextmanager
def running(log: Path, **environment: str) -> Iterator[str]:
    """Its address, once the model is warm; `environment` is added to its own."""
    command = [sys.executable, "-m", "qingyu", "serve", "--port", "0", "--log-format", "text"]
    settings = {**os.environ, **environment}
    with (
        log.open("w") as out,
        subprocess.Popen(command, stderr=out, stdout=out, env=settings) as process,
    ):
        try:
            yield _ready(process, log)
        finally:
            process.terminate()


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """Reads the address off the log and asks until it says ready."""
    end = time.monotonic() + START
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        words = log.read_text().split()
        address = next((w.rstrip("/") for w in words if w.startswith("http://127.0.0.1:")), None)
        if address:
            try:
                if httpx.get(f"{address}/health/ready").status_code == 200:
                    return address
            except httpx.TransportError:
                pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())
