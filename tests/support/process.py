"""The real service as a process of its own, as people start it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from qingyu.settings import Settings
from qingyu.web.sockets import address_of, listen

START_SECONDS = 60  # on a very busy machine


class Served:
    """`qingyu serve` on a free port, with these flags; `how` is Popen's."""

    def __init__(self, *flags: str, environment: dict[str, str] | None = None, **how: Any) -> None:
        listener = listen(Settings(port=0))
        self.address = address_of(listener)
        listener.close()
        self.port = int(self.address.rpartition(":")[2])
        command = [sys.executable, "-m", "qingyu", "serve", "--port", str(self.port), *flags]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process: subprocess.Popen[Any] = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, **{**quiet, **how}
        )

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def wait(self) -> None:
        """Until it is ready."""
        end = time.monotonic() + START_SECONDS
        while not self.ready():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}"
            assert time.monotonic() < end, "it does not become ready"
            time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


@contextmanager
def served(*flags: str, **how: Any) -> Iterator[Served]:
    """A service that is ready, and killed afterwards."""
    service = Served(*flags, **how)
    try:
        service.wait()
        yield service
    finally:
        service.kill()
