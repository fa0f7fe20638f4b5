"""A job worked on in a process of its own, so that whatever its file holds, nobody else waits.

This process answers the texts that the other one asks for. The other reads and writes the files,
under a memory limit where the system has one, and may be ended at any moment: the next run goes on
from the checkpoint.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from qingyu.errors import QingyuError

from .frames import receive, send, send_bytes
from .runner import Progress
from .windows import Texts

LOOK_SECONDS = 0.2
WAITING = 16  # messages that are not yet taken
ENDING_SECONDS = 5.0
CHILD = "qingyu.jobs.child"


@dataclass(frozen=True)
class Order:
    """What to do, as JSON can hold it. `input`, `output`: paths; `name`: what errors call the
    input; `reading`: how it is read, as `lay_out` takes it; `memory`: bytes that the process may
    take for its data; the others as in `Job`, `Source` and `Limits`."""

    input: str
    output: str
    name: str
    task: str
    model: str
    parameters: dict[str, Any]
    column: str | None
    pair: str | None
    reading: dict[str, Any]
    rows: int
    characters: int
    max_characters: int
    max_expansion: int
    memory: int


@dataclass(frozen=True)
class Asked:
    """Texts to answer, in order."""

    inputs: list[Texts]


@dataclass(frozen=True)
class Done:
    """The job is done."""


class FailedError(QingyuError):
    """What the other process met, with the code that it had there."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.code = code


class UnexpectedError(Exception):
    """A mistake of ours in the other process: the kind of error, and where it was raised."""


Event: TypeAlias = "Asked | Progress | Done"


class Apart:
    """The other process, from the moment this is made until `close`."""

    def __init__(self, order: Order, keep: Sequence[int] = ()) -> None:
        """`keep` are descriptors that are its own, too: a lock among them is held as long as
        either process lives. Raises OSError."""
        inherited = {"pass_fds": tuple(keep)} if os.name == "posix" else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_environment()},
            **inherited,  # type: ignore[call-overload]
        )
        self._messages: queue.Queue[Any] = queue.Queue(WAITING)
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True, name="qingyu-job")
        self._reader.start()
        with suppress(OSError):  # it has ended already, which is told below
            send(self._stdin, asdict(order))

    @property
    def _stdin(self) -> IO[bytes]:
        stream: IO[bytes] | None = self._process.stdin
        if stream is None:
            raise OSError(0, "no pipe")
        return stream

    def _read(self) -> None:
        stream = self._process.stdout
        message: Any = True
        while message is not None and stream is not None:
            try:
                message = receive(stream)
            except (OSError, ValueError):
                message = None
            self._put(message)

    def _put(self, message: Any) -> None:
        while not self._closed.is_set():
            try:
                return self._messages.put(message, timeout=LOOK_SECONDS)
            except queue.Full:
                continue

    def next(self, timeout: float) -> Event | None:
        """What it tells next, or None where it tells nothing for `timeout` seconds. Raises
        FailedError and UnexpectedError."""
        try:
            message = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if message is None:
            raise FailedError(
                "file_invalid",
                "处理文件的进程意外结束，文件可能已损坏或过大。",
                "The process that worked on the file ended unexpectedly; the file may be damaged "
                "or too large.",
            )
        if "asked" in message:
            return Asked([tuple(texts) for texts in message["asked"]])
        if "progress" in message:
            return Progress(*message["progress"])
        if "failed" in message:
            raise FailedError(*message["failed"])
        if "unexpected" in message:
            raise UnexpectedError(message["unexpected"])
        return Done()

    def answer(self, outcomes: Sequence[bytes | QingyuError]) -> None:
        """What was asked last: results as JSON in UTF-8, or errors."""
        parts = [
            _error(one) if isinstance(one, QingyuError) else b'{"found":%s}' % one
            for one in outcomes
        ]
        with suppress(OSError):  # it has ended, which the next message tells
            send_bytes(self._stdin, b"[" + b",".join(parts) + b"]")

    def close(self) -> None:
        """It has ended when this returns, whatever it was at."""
        self._closed.set()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING_SECONDS)
        self._reader.join(ENDING_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def _error(error: QingyuError) -> bytes:
    return json.dumps({"code": error.code, "zh": error.zh, "en": error.en}).encode()


def _environment() -> dict[str, str]:
    """One thread, the allocator of the system, and this very package."""
    here = str(Path(__file__).parent.parent.parent)
    path = os.environ.get("PYTHONPATH", "")
    return {
        "PYTHONPATH": os.pathsep.join([here, path]) if path else here,
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "OMP_NUM_THREADS": "1",
        "PYTHONSAFEPATH": "1",
    }
