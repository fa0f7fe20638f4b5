"""A job as the store keeps it, and how much of them it keeps."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, fields
from pathlib import Path

from .compression import ENDINGS

OPEN = ("uploading", "queued", "running", "paused")
ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Bounds:
    """Of each owner: jobs that are unfinished, and all jobs that are kept, ended ones included."""

    unfinished: int
    kept: int = 100


@dataclass(frozen=True)
class JobRecord:
    """A job as it is stored, but for what to do, which may be long. Times are seconds since 1970;
    `seconds` is the time worked; `error` is {code, message, message_en} of a failed job."""

    id: str
    owner: str
    name: str
    task: str
    model: str
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


LISTED = ", ".join(field.name for field in fields(JobRecord))


def record(row: sqlite3.Row) -> JobRecord:
    values = dict(row)
    values["error"] = None if values["error"] is None else json.loads(values["error"])
    return JobRecord(**values)


def ending_of(name: str) -> str:
    """`a.b.csv.gz` -> ".csv.gz": of a client's file name nothing else is used."""
    path = Path(name)
    last = path.suffix.lower()
    return f"{Path(path.stem).suffix.lower()}{last}" if last in ENDINGS else last
