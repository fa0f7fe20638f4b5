"""The jobs of a service: a table in SQLite and a folder for each, safe in several processes.

    uploading -> queued <-> running -> done | failed
                   |  ^        |
                   v  |        v
                  paused    cancelled

A running job is held by a lock that ends with its process, so what a crash leaves running is
claimed by the next worker that looks. What a job no longer needs goes with its state: a cancelled
one keeps no files, and one that is done not its input.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from qingyu.errors import InputError

from .database import Database
from .errors import (
    BusyError,
    FilesMissingError,
    JobNotFoundError,
    JobStateError,
    StoreError,
    TooManyJobsError,
    WriteError,
)
from .folders import Folders
from .lock import Lock
from .output import sync_folder
from .records import ENDED, LISTED, OPEN, Bounds, JobRecord, record
from .runner import Progress
from .sources import format_of, known_ending, output_format_of

DAY = 86_400.0
UPLOAD_SECONDS = DAY
LARGEST_REQUEST = 256 << 10  # bytes of JSON
AT_ONCE = 256  # jobs removed in one go


class Store:
    """Jobs under `folder`. Its methods may be called from several threads; all raise StoreError
    and StoreBusyError beside what they say."""

    def __init__(
        self, folder: Path, *, days: float = 7.0, clock: Callable[[], float] = time.time
    ) -> None:
        self.files = Folders(Path(os.path.realpath(folder)))
        self._kept_seconds = days * DAY
        self._clock = clock
        self._base = Database(self.files.root)

    def close(self) -> None:
        self._base.close()

    # -- what clients do --------------------------------------------------------------------------

    def create(
        self, owner: str, name: str, request: dict[str, Any], output: str, bounds: Bounds
    ) -> JobRecord:
        """A job that waits for its file. `output` is the ending of what it writes.

        Raises TooManyJobsError where the owner has too many, InputError for a request too long to
        keep, and FileError for a name or an ending of no known format.
        """
        format_of(Path(name))
        output = known_ending(output).removeprefix(".")
        output_format_of(Path(f"output.{output}"))
        text = json.dumps(request, ensure_ascii=False)
        if len(text.encode("utf-8", "surrogatepass")) > LARGEST_REQUEST:
            raise InputError(
                f"任务的参数超过 {LARGEST_REQUEST} 字节。",
                f"The parameters of a job are longer than {LARGEST_REQUEST} bytes.",
            )
        job, now = secrets.token_hex(8), self._clock()
        facts = (request.get("task", ""), request.get("model", ""))
        with self._base.writing() as base:
            self._make_room(base, owner, bounds)
            base.execute(
                "INSERT INTO jobs (id, owner, name, request, output, state, created, updated, task,"
                " model) VALUES (?, ?, ?, ?, ?, 'uploading', ?, ?, ?, ?)",
                (job, owner, name, text, output, now, now, *facts),
            )
            try:
                self.files.make(job)
            except OSError as error:
                raise StoreError(error.strerror or str(error), full=True) from error
        return self.get(job)

    def _make_room(self, base: sqlite3.Connection, owner: str, bounds: Bounds) -> None:
        """Cancelled jobs hold nothing, and go first."""
        rows = base.execute("SELECT state FROM jobs WHERE owner = ?", (owner,)).fetchall()
        states = [row["state"] for row in rows]
        if sum(state in OPEN for state in states) >= bounds.unfinished:
            raise TooManyJobsError(bounds.unfinished)
        over = len(states) + 1 - bounds.kept
        if over > states.count("cancelled"):
            raise TooManyJobsError(bounds.kept, ended=True)
        if over > 0:
            base.execute(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE owner = ? AND"
                " state = 'cancelled' ORDER BY created LIMIT ?)",
                (owner, over),
            )

    def get(self, job: str, owner: str | None = None) -> JobRecord:
        """Raises JobNotFoundError, also for a job of another owner."""
        records = self._select("WHERE id = ?", (job,))
        if not records or (owner is not None and records[0].owner != owner):
            raise JobNotFoundError
        return records[0]

    def request_of(self, job: str) -> dict[str, Any]:
        """What to do. Raises JobNotFoundError."""
        with self._base.reading() as base:
            row = base.execute("SELECT request FROM jobs WHERE id = ?", (job,)).fetchone()
        if row is None:
            raise JobNotFoundError
        request: dict[str, Any] = json.loads(row["request"])
        return request

    def page(self, owner: str, limit: int, after: str | None = None) -> list[JobRecord]:
        """At most `limit` of an owner's jobs, newest first, those behind the job `after`. Raises
        JobNotFoundError where that is gone."""
        where, values = "WHERE owner = ?", list[Any]([owner])
        if after is not None:
            last = self.get(after, owner)
            where += " AND (created < ? OR (created = ? AND id > ?))"
            values += [last.created, last.created, last.id]
        return self._select(f"{where} ORDER BY created DESC, id LIMIT ?", (*values, limit))

    def bytes_of(self, owner: str) -> int:
        """What the files of all jobs of an owner take, those being received among them."""
        with self._base.reading() as base:
            rows = base.execute("SELECT id FROM jobs WHERE owner = ?", (owner,)).fetchall()
        return self.files.bytes_of(row["id"] for row in rows)

    def change(self, job: str, allowed: Sequence[str], state: str, **values: Any) -> JobRecord:
        """Move to `state` if it is in one of those allowed. Raises JobStateError."""
        names = "".join(f", {name} = ?" for name in values)
        marks = ", ".join("?" for _ in allowed)
        with self._base.writing() as base:
            changed = base.execute(
                f"UPDATE jobs SET state = ?, updated = ?{names}"  # noqa: S608 names are ours
                f" WHERE id = ? AND state IN ({marks})",
                (state, self._clock(), *values.values(), job, *allowed),
            ).rowcount
        record = self.get(job)
        if not changed:
            raise JobStateError(record.state)
        if state == "cancelled":
            self.files.remove(job)
        elif state == "done":
            self.files.input_of(record).unlink(missing_ok=True)
        return record

    def receive(self, job: JobRecord, part: Path, size: int) -> JobRecord:
        """The whole upload `part`, of `size` bytes, becomes the job's input, and the job waits.

        Of several uploads to one job the first that is whole counts: file and state change in one
        transaction, so that none replaces the input of a job that has begun. Raises JobStateError,
        JobNotFoundError and OSError.
        """
        with self._base.writing() as base:
            changed = base.execute(
                "UPDATE jobs SET state = 'queued', updated = ?, total_bytes = ?"
                " WHERE id = ? AND state = 'uploading'",
                (self._clock(), size, job.id),
            ).rowcount
            if changed:
                part.replace(self.files.input_of(job))
                sync_folder(part.parent)
        record = self.get(job.id)
        if not changed:
            raise JobStateError(record.state)
        return record

    def remove(self, job: str) -> None:
        """Forget an ended job and its files. Raises JobStateError."""
        record = self.get(job)
        if record.state not in ENDED:
            raise JobStateError(record.state)
        with self._base.writing() as base:
            base.execute("DELETE FROM jobs WHERE id = ?", (job,))
        self.files.remove(job)

    # -- what a worker does -----------------------------------------------------------------------

    def claim(self, ready: Callable[[str], bool] = lambda _: True) -> tuple[JobRecord, Lock] | None:
        """A job that waits or whose worker has died, now running, held by the lock: of the owner
        for whom least has been worked, the oldest. Owners who are not `ready` come last."""
        waiting = self._select(
            "WHERE state IN ('queued', 'running') ORDER BY (SELECT sum(seconds) FROM jobs AS same"
            " WHERE same.owner = jobs.owner), created, id",
            (),
        )
        for job in sorted(waiting, key=lambda job: not ready(job.owner)):
            folder = self.files.of(job.id)
            if not folder.is_dir():
                self._give_up(job)
                continue
            try:
                lock = Lock(folder / "lock", folder)
            except (BusyError, WriteError):
                continue
            try:
                return self.change(job.id, ("queued", "running"), "running"), lock
            except (JobStateError, JobNotFoundError):
                lock.release()
        return None

    def _give_up(self, job: JobRecord) -> None:
        error = FilesMissingError()
        told = {"code": error.code, "message": error.zh, "message_en": error.en}
        with suppress(JobStateError, JobNotFoundError):
            self.change(job.id, ("queued", "running"), "failed", error=json.dumps(told))

    def others_wait(self, owner: str) -> set[str]:
        """Other owners who have a job that waits."""
        with self._base.reading() as base:
            rows = base.execute(
                "SELECT DISTINCT owner FROM jobs WHERE state = 'queued' AND owner != ?", (owner,)
            ).fetchall()
        return {row["owner"] for row in rows}

    def note(self, job: str, progress: Progress, seconds: float) -> None:
        """How far a job is; `seconds` of work since the last note."""
        facts = (progress.rows, progress.failed, progress.read_bytes, progress.total_bytes)
        with self._base.writing() as base:
            base.execute(
                "UPDATE jobs SET rows = ?, failed = ?, read_bytes = ?, total_bytes = ?,"
                " seconds = seconds + ?, updated = ? WHERE id = ?",
                (*facts, seconds, self._clock(), job),
            )

    def expire(self) -> list[str]:
        """Remove what ended long ago, what was never uploaded, and folders of no job that have
        stood for a day."""
        now = self._clock()
        late = self._select(
            f"WHERE (state IN {ENDED} AND updated < ?) OR (state = 'uploading' AND updated < ?)"
            " LIMIT ?",
            (now - self._kept_seconds, now - UPLOAD_SECONDS, AT_ONCE),
        )
        for job in late:
            with suppress(JobStateError, JobNotFoundError):
                if job.state == "uploading":
                    self.change(job.id, ("uploading",), "cancelled")
                self.remove(job.id)
        with self._base.reading() as base:
            known = {row["id"] for row in base.execute("SELECT id FROM jobs")}
        self.files.sweep(known)
        return [job.id for job in late]

    def _select(self, where: str, values: tuple[Any, ...]) -> list[JobRecord]:
        with self._base.reading() as base:
            rows = base.execute(f"SELECT {LISTED} FROM jobs {where}", values).fetchall()  # noqa: S608
        return [record(row) for row in rows]
