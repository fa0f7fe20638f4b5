"""The threads that run batches: replaced when one dies, reported when one is stuck."""

from __future__ import annotations

import logging
import threading
import time

from .scheduler import Clock, Scheduler

log = logging.getLogger("qingyu.service")


class Workers:
    """`count` threads that take batches from a scheduler until it is closed.

    One thread is right for a model that uses all cores for a batch; two when each runs on its own
    core. A batch that runs longer than `stall_seconds` counts as stuck.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        count: int = 1,
        *,
        stall_seconds: float = 60.0,
        clock: Clock = time.monotonic,
    ) -> None:
        self.replaced = 0
        self._scheduler = scheduler
        self._count = count
        self._stall_seconds = stall_seconds
        self._clock = clock
        self._busy_since: dict[int, float] = {}
        self._threads: dict[int, threading.Thread] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        for number in range(self._count):
            self._spawn(number)

    def join(self, timeout: float | None = None) -> None:
        """Wait for the threads to end; close the scheduler first."""
        for thread in list(self._threads.values()):
            thread.join(timeout)

    @property
    def alive(self) -> int:
        """Threads that are there and not stuck."""
        now = self._clock()
        with self._lock:
            return sum(
                thread.is_alive() and now - self._busy_since.get(number, now) <= self._stall_seconds
                for number, thread in self._threads.items()
            )

    @property
    def healthy(self) -> bool:
        return self.alive == self._count

    def _spawn(self, number: int) -> None:
        thread = threading.Thread(
            target=self._loop, args=(number,), name=f"qingyu-worker-{number}", daemon=True
        )
        with self._lock:
            self._threads[number] = thread
        thread.start()

    def _loop(self, number: int) -> None:
        try:
            while (batch := self._scheduler.take()) is not None:
                self._busy_since[number] = self._clock()
                self._scheduler.work(batch)
                self._busy_since.pop(number, None)
                del batch  # with its answers, which would stay until the next one comes
        except BaseException:  # any failure: start a replacement
            log.exception("worker %d died; replacing it", number)
            self._busy_since.pop(number, None)
            self.replaced += 1
            self._spawn(number)
