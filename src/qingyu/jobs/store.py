"""The jobs of a service: a table in SQLite and a folder for each, safe in several processes.

    uploading -> queued <-> running -> done | failed
                   |  ^        |
                   v  |        v
                  paused    cancelled

A running job is held by a lock that ends with its process, so what a crash leaves running is
claimed by the next worker that looks.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import BusyError, JobNotFoundError, JobStateError, TooManyJobsError, WriteError
from .lock import Lock
from .output import sync_folder
from .runner import Progress
from .sources import format_of, known_ending

OPEN = ("uploading", "queued", "running", "paused")
ENDED = ("done", "failed", "cancelled")
DAY = 86_400.0
UPLOAD_SECONDS = DAY

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, request TEXT NOT NULL,
    output TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL,
    rows INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    read_bytes INTEGER NOT NULL DEFAULT 0, total_bytes INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, error TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, created);
"""


@dataclass(frozen=True)
class JobRecord:
    """A job as it is stored. `request` is what to do; times are seconds since 1970; `seconds` is
    the time worked; `error` is {code, message, message_en} of a failed job."""

    id: str
    owner: str
    name: str
    request: dict[str, Any]
    output: str
    state: str
    created: float
    updated: float
    rows: int
    failed: int
    read_bytes: int
    total_bytes: int
    seconds: float
    error: dict[str, str] | None


class Store:
    """Jobs under `folder`. Its methods may be called from several threads."""

    def __init__(
        self, folder: Path, *, days: float = 7.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = Path(os.path.realpath(folder))
        self._kept_seconds = days * DAY
        self._clock = clock
        self._guard = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._base = sqlite3.connect(
            folder / "jobs.sqlite", timeout=30, isolation_level=None, check_same_thread=False
        )
        self._base.row_factory = sqlite3.Row
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.executescript(SCHEMA)

    def close(self) -> None:
        with self._guard:
            self._base.close()

    # -- what clients do --------------------------------------------------------------------------

    def create(
        self, owner: str, name: str, request: dict[str, Any], output: str, *, limit: int
    ) -> JobRecord:
        """A job that waits for its file. `output` is the ending of what it writes.

        Raises TooManyJobsError where the owner has `limit` unfinished ones, and FileError for a
        name or an ending of no known format.
        """
        format_of(Path(name))
        output = known_ending(output).removeprefix(".")
        job, now = secrets.token_hex(8), self._clock()
        with self._guard, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            (count,) = self._base.execute(
                f"SELECT count(*) FROM jobs WHERE owner = ? AND state IN {OPEN}",  # noqa: S608
                (owner,),
            ).fetchone()
            if count >= limit:
                raise TooManyJobsError(limit)
            self._base.execute(
                "INSERT INTO jobs (id, owner, name, request, output, state, created, updated)"
                " VALUES (?, ?, ?, ?, ?, 'uploading', ?, ?)",
                (job, owner, name, json.dumps(request, ensure_ascii=False), output, now, now),
            )
        self.folder(job).mkdir(mode=0o700)
        return self.get(job)

    def get(self, job: str, owner: str | None = None) -> JobRecord:
        """Raises JobNotFoundError, also for a job of another owner."""
        found = self._select("WHERE id = ?", (job,))
        if not found or (owner is not None and found[0].owner != owner):
            raise JobNotFoundError
        return found[0]

    def all_of(self, owner: str) -> list[JobRecord]:
        """Newest first."""
        return self._select("WHERE owner = ? ORDER BY created DESC, id", (owner,))

    def change(self, job: str, allowed: Sequence[str], state: str, **values: Any) -> JobRecord:
        """Move to `state` if it is in one of those allowed. Raises JobStateError."""
        names = "".join(f", {name} = ?" for name in values)
        marks = ", ".join("?" for _ in allowed)
        with self._guard:
            changed = self._base.execute(
                f"UPDATE jobs SET state = ?, updated = ?{names}"  # noqa: S608 names are ours
                f" WHERE id = ? AND state IN ({marks})",
                (state, self._clock(), *values.values(), job, *allowed),
            ).rowcount
        found = self.get(job)
        if not changed:
            raise JobStateError(found.state)
        return found

    def receive(self, job: str, part: Path, size: int) -> JobRecord:
        """The whole upload `part`, of `size` bytes, becomes the job's input, and the job waits.

        Of several uploads to one job the first that is whole counts: file and state change under
        one lock, so that none replaces the input of a job that has begun. Raises JobStateError,
        JobNotFoundError and OSError.
        """
        with self._guard, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            changed = self._base.execute(
                "UPDATE jobs SET state = 'queued', updated = ?, total_bytes = ?"
                " WHERE id = ? AND state = 'uploading'",
                (self._clock(), size, job),
            ).rowcount
            if changed:
                part.replace(self._input(job, self._named(job)))
                sync_folder(self.folder(job))
        found = self.get(job)
        if not changed:
            raise JobStateError(found.state)
        return found

    def _named(self, job: str) -> str:
        (name,) = self._base.execute("SELECT name FROM jobs WHERE id = ?", (job,)).fetchone()
        return str(name)

    def remove(self, job: str) -> None:
        """Forget an ended job and its files. Raises JobStateError."""
        found = self.get(job)
        if found.state not in ENDED:
            raise JobStateError(found.state)
        with self._guard:
            self._base.execute("DELETE FROM jobs WHERE id = ?", (job,))
        shutil.rmtree(self.folder(job), ignore_errors=True)

    # -- where its files are ----------------------------------------------------------------------

    def folder(self, job: str) -> Path:
        return self._folder / job

    def part_of(self, job: JobRecord) -> Path:
        """A name of its own for each upload, which no client knows."""
        return self.folder(job.id) / f"{secrets.token_hex(16)}.upload"

    def input_of(self, job: JobRecord) -> Path:
        return self._input(job.id, job.name)

    def _input(self, job: str, name: str) -> Path:
        return self.folder(job) / f"input{known_ending(ending_of(name))}"

    def output_of(self, job: JobRecord) -> Path:
        """Raises FileError for a record that an older version took with no known ending."""
        return self.folder(job.id) / f"output{known_ending(job.output)}"

    def errors_of(self, job: JobRecord) -> Path:
        return self.folder(job.id) / f"output{known_ending(job.output)}.errors.jsonl"

    # -- what a worker does -----------------------------------------------------------------------

    def claim(self) -> tuple[JobRecord, Lock] | None:
        """The oldest job that waits or whose worker has died, now running, held by the lock."""
        for job in self._select("WHERE state IN ('queued', 'running') ORDER BY created, id", ()):
            try:
                lock = Lock(self.folder(job.id) / "lock", self.folder(job.id))
            except (BusyError, WriteError):
                continue
            try:
                return self.change(job.id, ("queued", "running"), "running"), lock
            except (JobStateError, JobNotFoundError):
                lock.release()
        return None

    def note(self, job: str, progress: Progress, seconds: float) -> None:
        """How far a job is; `seconds` of work since the last note."""
        with self._guard:
            self._base.execute(
                "UPDATE jobs SET rows = ?, failed = ?, read_bytes = ?, total_bytes = ?,"
                " seconds = seconds + ?, updated = ? WHERE id = ?",
                (
                    progress.rows,
                    progress.failed,
                    progress.read_bytes,
                    progress.total_bytes,
                    seconds,
                    self._clock(),
                    job,
                ),
            )

    def expire(self) -> list[str]:
        """Remove what ended long ago, and what was never uploaded."""
        now = self._clock()
        late = self._select(
            f"WHERE (state IN {ENDED} AND updated < ?) OR (state = 'uploading' AND updated < ?)",
            (now - self._kept_seconds, now - UPLOAD_SECONDS),
        )
        for job in late:
            with suppress(JobStateError, JobNotFoundError):
                if job.state == "uploading":
                    self.change(job.id, ("uploading",), "cancelled")
                self.remove(job.id)
        return [job.id for job in late]

    def _select(self, where: str, values: tuple[Any, ...]) -> list[JobRecord]:
        with self._guard:
            rows = self._base.execute(f"SELECT * FROM jobs {where}", values).fetchall()  # noqa: S608
        return [_record(row) for row in rows]


def _record(row: sqlite3.Row) -> JobRecord:
    values = dict(row)
    values["request"] = json.loads(values["request"])
    values["error"] = None if values["error"] is None else json.loads(values["error"])
    return JobRecord(**values)


def ending_of(name: str) -> str:
    """`a.b.csv.gz` -> ".csv.gz": of a client's file name nothing else is used."""
    path = Path(name)
    last = path.suffix.lower()
    return f"{Path(path.stem).suffix.lower()}{last}" if last in {".gz", ".zst"} else last
