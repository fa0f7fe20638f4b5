"""The jobs' store when its disk, its database or its clients do the worst they can."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qingyu.errors import InputError, QingyuError
from qingyu.jobs.errors import (
    JobNotFoundError,
    StoreBusyError,
    StoreError,
    TooManyJobsError,
)
from qingyu.jobs.folders import ORPHAN_SECONDS
from qingyu.jobs.records import Bounds
from qingyu.jobs.runner import Progress
from qingyu.jobs.store import LARGEST_REQUEST, Store

FEW = Bounds(unfinished=2, kept=4)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "jobs")
    yield opened
    opened.close()


def new(store: Store, state: str = "queued", owner: str = "a", seconds: float = 0) -> str:
    job = store.create(owner, "a.txt", {"task": "score", "model": "m"}, "txt", FEW).id
    if state != "uploading":
        store.change(job, ("uploading",), state)
        store.note(job, Progress(0, 0, 0, 0, 0), seconds)
    return job


def test_ended_jobs_are_bounded(store: Store) -> None:
    """Of an owner's jobs only so many are kept: cancelled ones go, others are to be deleted."""
    cancelled = [new(store, "cancelled") for _ in range(4)]
    assert not store.files.of(cancelled[0]).exists()
    done = [new(store, "done") for _ in range(4)]
    with pytest.raises(JobNotFoundError):
        store.get(cancelled[0])
    with pytest.raises(TooManyJobsError, match="delete some"):
        new(store)
    new(store, owner="b")
    store.remove(done[0])
    new(store)


def test_a_list_is_paged_and_loads_no_request(store: Store) -> None:
    """Pages follow each other without gaps, and a record holds nothing of what is to be done."""
    bounds = Bounds(9, 9)
    request = {"task": "score", "model": "m", "options": {"x": "y" * 100_000}}
    made = [store.create("a", "a.txt", request, "txt", bounds).id for _ in range(5)]
    first = store.page("a", 2)
    second = store.page("a", 2, first[-1].id)
    third = store.page("a", 2, second[-1].id)
    told = [job.id for job in (*first, *second, *third)]
    assert sorted(told) == sorted(made)
    assert (first[0].task, first[0].model) == ("score", "m")
    assert len(repr(first)) < 2000
    assert store.request_of(made[0]) == request
    with pytest.raises(JobNotFoundError):
        store.page("b", 2, made[0])


def test_a_long_request_is_refused(store: Store) -> None:
    """What to do is kept for days: it has a largest size."""
    with pytest.raises(InputError, match=str(LARGEST_REQUEST)):
        store.create("a", "a.txt", {"x": "啊" * LARGEST_REQUEST}, "txt", FEW)
    assert store.page("a", 9) == []


def test_files_are_counted(store: Store) -> None:
    """All bytes of an owner's jobs count, an upload that is not yet whole among them."""
    job = store.get(new(store, "uploading"))
    part = store.files.part_of(job)
    part.write_bytes(b"x" * 1000)
    assert store.bytes_of("a") == 1000
    store.receive(job, part, 1000)
    assert (store.bytes_of("a"), store.bytes_of("b")) == (1000, 0)
    store.change(job.id, ("queued",), "done")
    assert store.bytes_of("a") == 0


def test_who_has_had_least_goes_first(store: Store) -> None:
    """Many jobs hold up nobody; who has no tokens waits behind those who have some."""
    new(store, owner="a", seconds=100)
    second, third = new(store, owner="a"), new(store, owner="b")
    claimed = store.claim()
    assert claimed is not None
    assert claimed[0].id == third
    claimed[1].release()
    claimed = store.claim(lambda owner: owner != "b")
    assert claimed is not None
    assert claimed[0].owner == "a"
    assert store.others_wait("b") == {"a"}
    assert store.get(second).state == "queued"
    claimed[1].release()


def test_a_job_whose_folder_is_gone_fails(store: Store) -> None:
    """It says so, and the next job goes on."""
    lost, other = new(store), new(store)
    store.files.remove(lost)
    claimed = store.claim()
    assert claimed is not None
    assert claimed[0].id == other
    claimed[1].release()
    found = store.get(lost)
    assert found.state == "failed"
    assert found.error is not None
    assert found.error["code"] == "job_files_missing"


def test_a_held_database_is_busy_soon(store: Store, tmp_path: Path) -> None:
    """While another process holds it, writing is refused within seconds and reading goes on."""
    job = new(store)
    other = sqlite3.connect(tmp_path / "jobs" / "jobs.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreBusyError):
        new(store)
    with pytest.raises(StoreBusyError):
        store.change(job, ("queued",), "paused")
    assert time.monotonic() - began < 20
    assert store.get(job).state == "queued"
    other.rollback()
    other.close()
    assert store.change(job, ("queued",), "paused").state == "paused"


def test_a_full_disk_is_told(store: Store) -> None:
    """SQLite has no room: an error of its own, without a path, and nothing is left behind."""
    with store._base.reading() as base:
        (pages,) = base.execute("PRAGMA page_count").fetchone()
        base.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError) as told:
        store.create("a", "a.txt", {"x": "y" * 200_000}, "txt", FEW)
    assert told.value.code == "write_failed"
    assert "/" not in told.value.en
    assert [one.name for one in store.files.root.iterdir() if one.is_dir()] == []


@pytest.mark.parametrize("what", ["a file", "no database", "a folder", "another table"])
def test_a_folder_that_cannot_be_used(tmp_path: Path, what: str) -> None:
    """A bad folder or database is one error at the start."""
    folder = tmp_path / "jobs"
    if what == "a file":
        folder.write_text("x")
    else:
        folder.mkdir()
        path = folder / "jobs.sqlite"
        if what == "no database":
            path.write_bytes(b"no database, " * 1000)
        elif what == "a folder":
            path.mkdir()
        else:
            sqlite3.connect(path).execute("CREATE TABLE jobs (x)").connection.close()
    with pytest.raises(QingyuError, match="cannot be used"):
        Store(folder)


def test_a_database_of_an_older_version(tmp_path: Path) -> None:
    """Jobs taken before the list had columns of its own are listed as they are."""
    (tmp_path / "jobs").mkdir()
    base = sqlite3.connect(tmp_path / "jobs" / "jobs.sqlite")
    base.executescript("""
        CREATE TABLE jobs (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, request TEXT NOT NULL,
        output TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL,
        rows INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
        read_bytes INTEGER NOT NULL DEFAULT 0, total_bytes INTEGER NOT NULL DEFAULT 0,
        seconds REAL NOT NULL DEFAULT 0, error TEXT) STRICT;
        INSERT INTO jobs (id, owner, name, request, output, state, created, updated)
        VALUES ('0123456789abcdef', 'a', 'a.txt', '{"task":"score","model":"m"}', 'txt', 'done',
        1, 1);
    """)
    base.close()
    store = Store(tmp_path / "jobs")
    (job,) = store.page("a", 9)
    assert (job.task, job.model) == ("score", "m")
    store.close()
    Store(tmp_path / "jobs").close()


def test_folders_of_a_lost_database_go(store: Store) -> None:
    """Folders that no job knows are removed after a day; what is no job's folder stays."""
    root, known = store.files.root, new(store)
    for name in ("0" * 16, "1" * 16, "important"):
        (root / name).mkdir()
        (root / name / "input.txt").write_text("x")
    old = time.time() - ORPHAN_SECONDS - 60
    for name in ("0" * 16, known, "important"):
        os.utime(root / name, (old, old))
    store.expire()
    left = {one.name for one in root.iterdir() if one.is_dir()}
    assert left == {known, "1" * 16, "important"}
