"""A real service under a memory limit, one hostile input at a time, and what others notice of it.

`withstood(attack)` starts `qingyu serve` in a process of its own, lets `attack` at it again and
again, asks light questions beside it all the while, and sends SIGTERM in the middle of it:

    withstood(request("/v1/fill-mask", {"text": "[MASK]" * 64, "top_k": 100})).check()

A file for a job is `withstood(job_file("bad.csv", data), jobs=True).check()`.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

PAGE = os.sysconf("SC_PAGE_SIZE")
ADDRESS_SPACE = 3 << 30  # of each process: what runs away ends in MemoryError, not with the machine
LIGHT_SECONDS = 1.0  # promised for a light request beside a hostile one
DRAIN_SECONDS = 2
END_SECONDS = 1.5  # from the end of the drain to the end of the process
PEAK_MB = 600.0
# Tests share their machine with others; `python -m tests.hostile` holds to the promise itself.
GENEROUS = 10.0
LOOK_SECONDS = 0.05
ATTACK_SECONDS = 3.0
PATIENCE_SECONDS = 30.0
LONGEST_SECONDS = 240.0  # of attacks one after another


@dataclass
class Service:
    """A service in a process of its own, and the statuses that its attacker was answered with.

    folder: belongs to it: its log, and below jobs/ what it keeps of jobs
    suffers: the name of the attack under way, where there are several
    """

    process: subprocess.Popen[bytes]
    folder: Path
    address: str = ""
    suffers: str = ""
    answers: list[int] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(
            base_url=self.address,
            timeout=PATIENCE_SECONDS,
            verify=False,  # noqa: S501 - nothing here is encrypted, and certificates take long
            **options,
        )

    def resident_mb(self) -> float:
        """Of the process and all that it started."""
        return sum(map(_resident_mb, [self.process.pid, *_descendants(self.process.pid)]))


Attack = Callable[[Service], object]
"""Does its harm once and returns; a client's errors (httpx.HTTPError, OSError) need no care."""


@dataclass(frozen=True)
class Withstood:
    """What others noticed of an attack.

    attacks:     how often it was made, with the statuses `answers`
    light, live: seconds of the slowest light request, in the course of `slow`, and of the slowest
                 /health/live
    refused:     statuses of light requests that were not answered; 0 is none at all
    peak_mb:     resident memory of the process and its children at its highest
    end, status: seconds from SIGTERM to the end of the process, and what it ended with
    """

    attacks: int
    answers: frozenset[int]
    light: float
    live: float
    slow: str
    refused: tuple[int, ...]
    peak_mb: float
    end: float
    status: int | None
    log: str

    def check(self, slack: float = GENEROUS) -> None:
        """Fails where others noticed more than is promised, times taken `slack` times as long."""
        assert self.attacks, "the attack never came to its end"
        assert not self.refused, f"light requests were answered with {self.refused}"
        assert self.light <= LIGHT_SECONDS * slack, (
            f"a light request took {self.light:.1f} s {self.slow}"
        )
        assert self.live <= LIGHT_SECONDS * slack, f"liveness took {self.live:.1f} s"
        assert self.peak_mb <= PEAK_MB, f"{self.peak_mb:.0f} MB resident"
        assert self.status == 0, f"ended with {self.status}: {self.log[-2000:]}"
        assert self.end <= DRAIN_SECONDS + END_SECONDS * slack, f"the end took {self.end:.1f} s"
        assert "Traceback" not in self.log, self.log[-3000:]
        assert 500 not in self.answers, f"answered {self.answers}"

    def __str__(self) -> str:
        return (
            f"{self.attacks:7}{self.light * 1e3:10.0f}{self.live * 1e3:9.0f}{self.peak_mb:9.0f}"
            f"{self.end:7.1f}  {' '.join(map(str, sorted(self.answers)))}"
        )


HEADER = f"{'attacks':>7}{'light ms':>10}{'live ms':>9}{'peak MB':>9}{'end s':>7}  answers"


@contextmanager
def service(*flags: str, jobs: bool = False) -> Iterator[Service]:
    """`qingyu serve` with the default model and two lanes, ready; killed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        more = ["--jobs", str(folder / "jobs")] if jobs else []
        command = [
            sys.executable, "-m", "qingyu", "serve", "--port", "0", "--lanes", "2",
            "--cache", "0", "--drain", str(DRAIN_SECONDS), *more, *flags,
        ]  # fmt: skip
        with (folder / "log").open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file)
        started = Service(process, folder)
        try:
            resource.prlimit(process.pid, resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
            started.address = _address(started)
            with started.client() as client:
                client.get("/health/ready").raise_for_status()
            yield started
        finally:
            for pid in [process.pid, *_descendants(process.pid)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(PATIENCE_SECONDS)


def withstood(
    attack: Attack, *flags: str, jobs: bool = False, seconds: float = ATTACK_SECONDS
) -> Withstood:
    """Attack a service for `seconds` and until the first attack is over, then end it.

    `flags` are those of `qingyu serve`.
    """
    with service(*flags, jobs=jobs) as attacked:
        _light(attacked, 0)
        watch = _Watch(attacked, attack)
        light, live, slow = 0.0, 0.0, ""
        refused: list[int] = []
        began = time.monotonic()
        number = 0
        while (passed := time.monotonic() - began) < seconds or (
            not watch.attacks and passed < LONGEST_SECONDS
        ):
            number += 1
            took, status = _light(attacked, number)
            if took > light:
                light, slow = took, attacked.suffers
            refused += [status] if status != 200 else []
            live = max(live, _live(attacked))
            threading.Event().wait(LOOK_SECONDS)
        attacks = watch.attacks
        told = time.monotonic()
        attacked.process.send_signal(signal.SIGTERM)
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = attacked.process.wait(PATIENCE_SECONDS)
        end = time.monotonic() - told
        watch.stop()
        return Withstood(
            attacks, frozenset(attacked.answers), light, live, slow, tuple(refused), watch.peak_mb,
            end, code, attacked.log,
        )  # fmt: skip


class _Watch:
    """Two threads: one attacks again and again, one looks how much memory that takes."""

    def __init__(self, attacked: Service, attack: Attack) -> None:
        self.attacks = 0
        self.peak_mb = 0.0
        self._attacked = attacked
        self._attack = attack
        self._ending = threading.Event()
        for target in (self._run, self._look):
            threading.Thread(target=target, daemon=True).start()

    def stop(self) -> None:
        self._ending.set()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._attack(self._attacked)
            except (httpx.HTTPError, OSError):
                self._ending.wait(LOOK_SECONDS)
            self.attacks += 1

    def _look(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            highest = _peak_mb(self._attacked.process.pid)
            self.peak_mb = max(self.peak_mb, highest, self._attacked.resident_mb())


# -- attacks ------------------------------------------------------------------------------------


def request(
    path: str, body: object, *, method: str = "POST", headers: dict[str, str] | None = None
) -> Attack:
    """A request with `body` as JSON, or with the bytes that it is."""

    def attack(attacked: Service) -> None:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        told = {"content-type": "application/json", **(headers or {})}
        with attacked.client() as client:
            answer = client.request(method, path, headers=told, **content)  # type: ignore[arg-type]
        attacked.answers.append(answer.status_code)

    return attack


def one_after_another(attacks: Mapping[str, Attack]) -> Attack:
    """All of them, by name."""

    def attack(attacked: Service) -> None:
        for attacked.suffers, one in attacks.items():
            with suppress(httpx.HTTPError, OSError):
                one(attacked)

    return attack


def job_file(name: str, data: bytes, *, seconds: float = PATIENCE_SECONDS, **job: Any) -> Attack:
    """A job whose file is `data`, waited for until it has ended, at most `seconds`, and removed."""

    def attack(attacked: Service) -> None:
        with attacked.client() as client:
            made = client.post("/v1/jobs", json={"task": "fill-mask", "name": name, **job})
            attacked.answers.append(made.status_code)
            if made.status_code != 201:
                return
            path = f"/v1/jobs/{made.json()['id']}"
            attacked.answers.append(client.put(f"{path}/input", content=data).status_code)
            end = time.monotonic() + seconds
            while client.get(path).json()["state"] in {"queued", "running"}:
                if time.monotonic() > end:
                    client.post(f"{path}/cancel")
                    break
                threading.Event().wait(LOOK_SECONDS)
            client.delete(path)

    return attack


# -- asking beside them -------------------------------------------------------------------------


def _light(attacked: Service, number: int) -> tuple[float, int]:
    """Seconds and status of a light request that no cache can answer."""
    began = time.monotonic()
    status = 0
    with suppress(httpx.HTTPError), attacked.client() as client:
        body = {"text": f"今天天气{number}真[MASK]啊。"}
        status = client.post("/v1/fill-mask", json=body).status_code
    return time.monotonic() - began, status


def _live(attacked: Service) -> float:
    began = time.monotonic()
    with suppress(httpx.HTTPError), attacked.client() as client:
        client.get("/health/live")
    return time.monotonic() - began


def _address(started: Service) -> str:
    """The address that it tells as it starts."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and started.process.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+", started.log):
            return found[0]
        threading.Event().wait(LOOK_SECONDS / 5)
    raise AssertionError(f"the service does not start: {started.log}")


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                found += [int(child), *_descendants(int(child))]
    return found


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * PAGE / 1e6
    except (OSError, IndexError):  # it has ended
        return 0.0


def _peak_mb(pid: int) -> float:
    """The most that a process alone has had, also between two looks."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
