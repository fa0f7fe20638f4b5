"""Several worker processes on one socket: started, monitored, replaced, stopped.

Each is a whole service of its own; what they share is the listening socket and, where the runtime
maps them, the pages of the weights.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import SpawnProcess
from types import FrameType

from qingyu.errors import ServiceError
from qingyu.settings import Settings
from qingyu.web.edge.logs import set_up_logging
from qingyu.web.edge.shared import SHARED_VARIABLE

log = logging.getLogger("qingyu.web")

POLL_SECONDS = 0.2
QUICK_SECONDS = 5.0  # who ends sooner than this did not come up at all

Body = Callable[[Settings, socket.socket], None]


def work(settings: Settings, listener: socket.socket) -> None:
    """The body of a process. It alone imports the service: this one needs no more than the settings
    and is 27 MB smaller for it."""
    from .worker import run

    run(settings, listener)


class Processes:
    """`settings.workers` processes that run `body`, until a signal or until none comes up."""

    def __init__(self, settings: Settings, listener: socket.socket, body: Body = work) -> None:
        self._settings = settings
        self._listener = listener
        self._body = body
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[SpawnProcess, float] = {}
        self._ending = threading.Event()
        self.replaced = 0

    def run(self) -> None:
        """Returns when all have ended. Raises ServiceError where they cannot come up."""
        set_up_logging(
            self._settings.log_format, self._settings.log_level, texts=self._settings.log_text
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        folder = tempfile.mkdtemp(prefix="qingyu-metrics-")
        os.environ[SHARED_VARIABLE] = folder  # the processes put their counts together there
        try:
            for _ in range(self._settings.workers):
                self._start()
            while not self._ending.wait(POLL_SECONDS):
                self._replace_the_dead()
        finally:
            self._stop_all()
            shutil.rmtree(folder, ignore_errors=True)

    def _end(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._ending.is_set():  # a second signal
            for process in self._running:
                process.kill()
        self._ending.set()

    def _start(self) -> None:
        process = self._context.Process(
            target=self._body, args=(self._settings, self._listener), name="qingyu"
        )
        process.start()
        self._running[process] = time.monotonic()

    def _replace_the_dead(self) -> None:
        for process, began in list(self._running.items()):
            if process.is_alive():
                continue
            del self._running[process]
            if time.monotonic() - began < QUICK_SECONDS and process.exitcode == 1:
                raise ServiceError(
                    "服务进程无法启动，原因见上。", "A process could not start; see above."
                )
            log.error("process %s ended with %s; replacing it", process.pid, process.exitcode)
            self.replaced += 1
            self._start()

    def _stop_all(self) -> None:
        for process in self._running:
            process.terminate()
        end = time.monotonic() + self._settings.drain_notice + self._settings.drain + 5
        for process in self._running:
            with suppress(ValueError):
                process.join(max(0.1, end - time.monotonic()))
                if process.is_alive():
                    process.kill()
                    process.join()
