"""The files of a service's jobs: a folder for each, under a random name; no name in it comes from a
client."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Container, Iterable
from contextlib import suppress
from pathlib import Path

from .records import JobRecord, ending_of
from .sources import known_ending

FOLDER = re.compile(r"[0-9a-f]{16}")
ORPHAN_SECONDS = 86_400.0


class Folders:
    def __init__(self, root: Path) -> None:
        self.root = root

    def of(self, job: str) -> Path:
        return self.root / job

    def make(self, job: str) -> None:
        """Raises OSError."""
        self.of(job).mkdir(mode=0o700)

    def remove(self, job: str) -> None:
        shutil.rmtree(self.of(job), ignore_errors=True)

    def part_of(self, job: JobRecord) -> Path:
        """A name of its own for each upload, which no client knows."""
        return self.of(job.id) / f"{secrets.token_hex(16)}.upload"

    def input_of(self, job: JobRecord) -> Path:
        return self.of(job.id) / f"input{known_ending(ending_of(job.name))}"

    def output_of(self, job: JobRecord) -> Path:
        """Raises FileError for a record that an older version took with no known ending."""
        return self.of(job.id) / f"output{known_ending(job.output)}"

    def errors_of(self, job: JobRecord) -> Path:
        return self.of(job.id) / f"output{known_ending(job.output)}.errors.jsonl"

    def bytes_of(self, jobs: Iterable[str]) -> int:
        """What all files of these jobs take, those being received among them."""
        return sum(map(_size_of, map(self.of, jobs)))

    def sweep(self, known: Container[str]) -> None:
        """Remove folders of jobs that nobody knows and that have stood for a day: a database was
        lost."""
        with suppress(OSError), os.scandir(self.root) as entries:
            for entry in entries:
                if not FOLDER.fullmatch(entry.name) or entry.name in known:
                    continue
                if entry.is_dir(follow_symlinks=False) and _is_old(entry):
                    shutil.rmtree(entry.path, ignore_errors=True)


def _is_old(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > ORPHAN_SECONDS
    return False


def _size_of(folder: Path) -> int:
    size = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                size += entry.stat(follow_symlinks=False).st_size
    return size
