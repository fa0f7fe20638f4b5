"""The database of a service's jobs: SQLite, with every way in which it can fail told as one error.

No call waits long: a database that another process holds is busy, not a reason to stand still.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StoreBusyError, StoreError

WAIT_SECONDS = 1.0
START_SECONDS = 10.0
BUSY = ("locked", "busy")
FULL = ("full", "disk I/O", "readonly", "unable to open")

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, request TEXT NOT NULL,
    output TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL,
    rows INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    read_bytes INTEGER NOT NULL DEFAULT 0, total_bytes INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, error TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, created);
CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (owner, created);
"""
# What a list tells of a request, so that it need not be loaded.
ADDED = ("task", "model")


class Database:
    """One connection, used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises StoreError."""
        self._guard = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _unusable(error.strerror or str(error)) from error
        self._folder = folder
        try:
            self._base = self._connect(folder / "jobs.sqlite")
        except sqlite3.Error as error:
            raise _unusable(str(error)) from error

    def _connect(self, path: Path) -> sqlite3.Connection:
        base = sqlite3.connect(
            path, timeout=START_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            base.row_factory = sqlite3.Row
            base.execute("PRAGMA journal_mode=WAL")
            base.executescript(SCHEMA)
            base.execute("BEGIN IMMEDIATE")
            with base:
                known = {row["name"] for row in base.execute("PRAGMA table_info(jobs)")}
                for name in ADDED:
                    if name not in known:  # a base of an older version
                        base.execute(f"ALTER TABLE jobs ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")
                        base.execute(f"UPDATE jobs SET {name} = json_extract(request, '$.{name}')")  # noqa: S608 ours
            base.execute(f"PRAGMA busy_timeout={round(WAIT_SECONDS * 1000)}")
        except sqlite3.Error:
            base.close()
            raise
        return base

    def close(self) -> None:
        with self._guard:
            self._base.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Raises StoreBusyError and StoreError."""
        if not self._guard.acquire(timeout=WAIT_SECONDS):
            raise StoreBusyError
        try:
            yield self._base
        except sqlite3.Error as error:
            raise _told(error) from error
        finally:
            self._guard.release()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction. Raises StoreBusyError and StoreError."""
        with self.reading() as base:
            base.execute("BEGIN IMMEDIATE")
            with base:
                yield base


def _told(error: sqlite3.Error) -> StoreError | StoreBusyError:
    why = str(error)
    if any(word in why for word in BUSY):
        return StoreBusyError()
    return StoreError(why, full=any(word in why for word in FULL))


def _unusable(why: str) -> StoreError:
    return StoreError(why, full=False)
