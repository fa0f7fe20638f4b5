"""One peer's process: started, woken for its turn, stopped while others have theirs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers.environments import CACHE, python
from qingyu.machine import peak_bytes, resident_bytes

WORKER = Path(__file__).parent / "worker.py"


class PeerError(Exception):
    """A peer cannot load the checkpoint or do the work; the text says why."""


class Peer:
    """A worker process. It is stopped (SIGSTOP) except within `awake`, so that threads that spin
    for more work take nothing from the peer whose turn it is. Raises PeerError."""

    def __init__(self, name: str, task: str, made: Path, checkpoint: Path, threads: int) -> None:
        self.name = name
        engine, variant = name.split(":")
        self.log = CACHE / f"{engine}-{variant}.log"
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            "DO_NOT_TRACK": "1",
            "INFINITY_ANONYMOUS_USAGE_STATS": "0",
        }
        begin = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [python(engine), WORKER, engine, variant, task, made, checkpoint, str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
                start_new_session=True,  # a group of its own, to be stopped as one
            )
        try:
            self._read()
        except BaseException:  # told to end, too
            self.close()
            raise
        self.start_seconds = time.perf_counter() - begin
        self.idle = self.memory()
        self._stop()

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command while awake, and return its answer."""
        assert self.process.stdin is not None
        with self.awake():
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
            return self._read()

    @contextmanager
    def awake(self) -> Iterator[None]:
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._stop()

    def memory(self) -> dict[str, int]:
        """Bytes resident now ("rss") and at most so far ("peak"), as Linux tells."""
        pid = self.process.pid
        return {"rss": resident_bytes(pid), "peak": peak_bytes(pid)}

    def close(self) -> None:
        if self.process.poll() is None:
            self._signal(signal.SIGKILL)
        self.process.communicate()

    def _stop(self) -> None:
        """Return when all its threads stand still, or it has ended."""
        self._signal(signal.SIGSTOP)
        if self.process.returncode is None:
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in found:
            self.close()
            raise PeerError(found["error"])
        return found

    def _last_words(self) -> str:
        text = self.log.read_text(errors="replace").strip()
        return (text.splitlines() or ["it ended without a word"])[-1]
