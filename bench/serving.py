"""A service that a benchmark starts, waits for and ends."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

READY_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(command: list[str], ready: Callable[[], bool], **how: Any) -> Iterator[int]:
    """The process of `command`, started as `how` tells Popen, from when it is `ready`; ended
    afterwards.
    """
    process = subprocess.Popen(command, **how)
    try:
        end = time.monotonic() + READY_SECONDS
        while not ready():
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
            if time.monotonic() > end:
                raise SystemExit(f"{' '.join(command)} is not ready after {READY_SECONDS} s")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


@contextmanager
def qingyu_serving(*flags: str, **how: Any) -> Iterator[tuple[int, int]]:
    """`qingyu serve` with these flags on a free port, ready: its process id and its port."""
    port = free_port()
    command = [sys.executable, "-m", "qingyu", "serve", "--port", str(port), *flags]
    with running(command, lambda: ready(port), **how) as pid:
        yield pid, port


def ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
