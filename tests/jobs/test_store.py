"""The store of jobs: states, owners, limits, crashes, expiry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qingyu.jobs.errors import FileError, JobNotFoundError, JobStateError, TooManyJobsError
from qingyu.jobs.records import Bounds
from qingyu.jobs.runner import Progress
from qingyu.jobs.store import DAY, Store

THREE = Bounds(unfinished=3)


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    opened = Store(tmp_path / "jobs", days=7, clock=clock)
    yield opened
    opened.close()


def new(store: Store, owner: str = "a", state: str = "queued") -> str:
    job = store.create(owner, "题.csv", {"task": "score"}, "csv", THREE)
    if state != "uploading":
        store.change(job.id, ("uploading",), state)
    return job.id


def test_the_oldest_is_claimed_once(store: Store, clock: Clock) -> None:
    """Two workers never hold one job; a job that is free again is claimed again."""
    first = new(store)
    clock.now += 1
    second = new(store)
    one, two = store.claim(), store.claim()
    assert one is not None
    assert two is not None
    assert (one[0].id, two[0].id) == (first, second)
    assert store.claim() is None
    one[1].release()  # its worker has died: the state still says running
    again = store.claim()
    assert again is not None
    assert again[0].id == first
    again[1].release()
    two[1].release()


def test_what_waits_survives_a_restart(store: Store, tmp_path: Path) -> None:
    """Another process that opens the folder finds the same jobs."""
    job = new(store)
    store.note(job, Progress(5, 1, 0, 10, 100), 2.0)
    other = Store(tmp_path / "jobs")
    found = other.get(job)
    assert (found.rows, found.failed, found.read_bytes, found.seconds) == (5, 1, 10, 2.0)
    claimed = other.claim()
    assert claimed is not None
    claimed[1].release()
    other.close()


def test_owners_see_their_own(store: Store) -> None:
    """Another's job is as if it were not there."""
    job = new(store, "a")
    assert [one.id for one in store.page("a", 9)] == [job]
    assert store.page("b", 9) == []
    with pytest.raises(JobNotFoundError):
        store.get(job, "b")


def test_limits(store: Store) -> None:
    """Unfinished jobs are counted for each owner; ended ones are not."""
    jobs = [new(store) for _ in range(3)]
    with pytest.raises(TooManyJobsError):
        new(store)
    new(store, "b")
    store.change(jobs[0], ("queued",), "cancelled")
    new(store)


OUTSIDE = "/../../../victim/keys.txt"


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("a.doc", "csv"),
        ("a.csv", "doc"),
        ("..", "csv"),
        ("a.csv", ""),
        ("a.csv", "."),
        ("a.csv", OUTSIDE),
        ("a.csv", "csv/../../keys.csv"),
        ("a.csv", "csv\\..\\keys.csv"),
        ("a.csv", "x.csv"),
        ("a.csv", "csv.gz.gz"),
        ("a.csv", "xlsx.gz"),
        ("a.csv", "csv\0"),
        ("a.csv", "csv "),
    ],
)
def test_names_of_no_known_format(store: Store, name: str, output: str) -> None:
    """What could not be read or written is refused before it is sent."""
    with pytest.raises(FileError):
        store.create("a", name, {}, output, THREE)


def test_a_name_never_becomes_a_path(store: Store, tmp_path: Path) -> None:
    """Of a file's name only the ending is used."""
    job = store.create("a", "../../etc/x.csv.gz", {}, "jsonl", THREE)
    assert store.files.input_of(job) == tmp_path / "jobs" / job.id / "input.csv.gz"


def test_an_ending_is_written_one_way(store: Store, tmp_path: Path) -> None:
    """With or without its dot, in any case, an ending names the same file."""
    for ending in ("CSV.gz", ".csv.GZ", "csv.gz"):
        job = store.create(ending, "a.txt", {}, ending, THREE)
        assert store.files.output_of(job) == tmp_path / "jobs" / job.id / "output.csv.gz"


def test_an_older_record_reaches_no_other_file(store: Store) -> None:
    """What a store took before endings were checked is refused when a path is made of it."""
    job = replace(store.get(new(store)), output=OUTSIDE)
    for made in (store.files.output_of, store.files.errors_of):
        with pytest.raises(FileError):
            made(job)


def test_the_first_whole_upload_counts(store: Store) -> None:
    """A second upload that ends later leaves the input of a waiting job as it is."""
    job = store.get(new(store, state="uploading"))
    first, second = store.files.part_of(job), store.files.part_of(job)
    assert first != second
    first.write_bytes(b"first")
    second.write_bytes(b"second")
    assert store.receive(job, first, 5).state == "queued"
    with pytest.raises(JobStateError):
        store.receive(job, second, 6)
    assert store.files.input_of(job).read_bytes() == b"first"
    assert store.get(job.id).total_bytes == 5


def test_an_upload_that_cannot_be_moved_changes_nothing(store: Store) -> None:
    """Where the file is lost the job still waits for one."""
    job = store.get(new(store, state="uploading"))
    with pytest.raises(OSError, match="No such file"):
        store.receive(job, store.files.part_of(job), 5)
    assert store.get(job.id).state == "uploading"


def test_moves_that_do_not_fit(store: Store) -> None:
    """A state is left only for one that may follow it."""
    job = new(store)
    with pytest.raises(JobStateError):
        store.change(job, ("paused",), "queued")
    with pytest.raises(JobStateError):
        store.remove(job)


def test_ended_jobs_expire(store: Store, clock: Clock) -> None:
    """After their days ended jobs and forgotten uploads go with their files; others stay."""
    ended, waiting, forgotten = new(store), new(store), new(store, state="uploading")
    store.change(ended, ("queued",), "done")
    clock.now += 6 * DAY
    assert store.expire() == [forgotten]
    clock.now += 2 * DAY
    assert store.expire() == [ended]
    assert not store.files.of(ended).exists()
    assert store.get(waiting).state == "queued"


def test_readers_do_not_wait_for_a_writer(store: Store, tmp_path: Path) -> None:
    """The base is in WAL mode: who looks at jobs is not held up by a worker that notes progress."""
    job = new(store)
    other = Store(tmp_path / "jobs")
    with store._base.writing() as base:
        base.execute("UPDATE jobs SET rows = 7 WHERE id = ?", (job,))
        assert other.get(job).rows == 0
    assert other.get(job).rows == 7
    other.close()
