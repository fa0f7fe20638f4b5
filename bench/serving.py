"""A service that a benchmark starts, waits for and ends."""

from __future__ import annotations

import signal
import socket
import subprocess
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
