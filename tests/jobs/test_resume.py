"""However a job ends, the same call goes on, and the output is what it would have been."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qingyu.jobs.output as output
from qingyu.jobs.errors import (
    BusyError,
    FileError,
    OtherJobError,
    OutputExistsError,
    StoppedError,
    WriteError,
)
from qingyu.jobs.lock import Lock
from qingyu.jobs.runner import run
from qingyu.jobs.windows import Limits, Outcome, Texts
from tests.support.jobs import computing, done, job, lengths, rows_of

LINES = [f"{'坏' if i % 11 == 0 else ''}第{i % 37}行" + "长" * (i % 13) for i in range(100)]


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power cut would do is not tested here, and syncing takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("text,n\n" + "".join(f"{line},{i}\n" for i, line in enumerate(LINES)))
    return path


class Crash(BaseException):
    """As if the process had been killed."""


def crash_after(steps: int, patch: pytest.MonkeyPatch) -> None:
    """Let that many changes of the disk happen, and no more."""

    def count(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal steps
            steps -= 1
            if steps < 0:
                raise Crash
            return real(*args, **kwargs)

        return call

    for owner, name in [(os, "write"), (os, "ftruncate"), (os, "link"), (Path, "unlink")]:
        patch.setattr(owner, name, count(getattr(owner, name)))
    patch.setattr(Path, "replace", count(Path.replace))


def outputs(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name.startswith("out")}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "txt", "csv.gz"])
def test_every_crash_leads_to_the_same_bytes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Killed at every single write, rename and removal in turn, and gone on, nothing differs."""
    whole = tmp_path / "whole"
    whole.mkdir()
    done(source, whole / f"out.{ending}")
    expected = outputs(whole)
    step = 0
    while True:
        folder = tmp_path / f"crash{step}"
        folder.mkdir()
        with monkeypatch.context() as patch:
            crash_after(step, patch)
            try:
                done(source, folder / f"out.{ending}")
                break
            except Crash:
                if (folder / f"out.{ending}").exists() and not any(folder.glob("*.checkpoint")):
                    break  # all was done but for the lock, which the system takes back
        done(source, folder / f"out.{ending}")
        assert outputs(folder) == expected, step
        step += 1 if ending == "csv" else 7
    assert step > 20


@given(st.lists(st.integers(0, 12), max_size=4))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stopped_any_number_of_times(tmp_path_factory: Any, stops: list[int]) -> None:
    """However often and wherever a job is stopped, its output is that of one run."""
    folder: Path = tmp_path_factory.mktemp("job")
    path = folder / "in.csv"
    path.write_text("text,n\n" + "".join(f"{line},{i}\n" for i, line in enumerate(LINES)))
    done(path, folder / "whole.jsonl")
    for count in stops:
        left = iter(range(count))
        try:
            run(
                job(path, folder / "out.jsonl"),
                computing(),
                stopped=lambda left=left: next(left, None) is None,  # type: ignore[misc]
            )
        except StoppedError:
            continue
        (folder / "out.jsonl").unlink()
        (folder / "out.jsonl.errors.jsonl").unlink()
    done(path, folder / "out.jsonl")
    assert (folder / "out.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()


def test_killed_for_real(source: Path, tmp_path: Path) -> None:
    """A process that gets SIGKILL in the middle of its work loses no more than two windows:
    the one that is written next and the one begun behind it."""
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from tests.support.jobs import done, lengths\n"
        "calls = []\n"
        "def ask(inputs):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return lengths(inputs)\n"
        f"done(Path({str(source)!r}), Path({str(tmp_path / 'out.csv')!r}), ask=ask)\n"
    )
    root = Path(__file__).parent.parent.parent
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    found = done(source, tmp_path / "out.csv")
    done(source, tmp_path / "whole.csv")
    assert found.resumed >= 21
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"in.csv", "out.csv", "whole.csv"} | {
        f"{name}.csv.errors.jsonl" for name in ("out", "whole")
    }


def test_duplicates_are_computed_once(tmp_path: Path) -> None:
    """The same text is asked for once, within a window and between windows."""
    (tmp_path / "in.txt").write_text("甲\n乙\n甲\n" * 20)
    asked: list[Texts] = []

    def ask(inputs: Sequence[Texts]) -> list[Outcome]:
        asked.extend(inputs)
        return lengths(inputs)

    assert done(tmp_path / "in.txt", tmp_path / "out.txt", ask=ask).rows == 60
    assert sorted(asked) == [("乙",), ("甲",)]


def test_a_window_is_begun_while_one_before_it_is_written(tmp_path: Path) -> None:
    """What computes in the background always has a window's work; a text that is being computed
    for one window is not asked for again by the next, and errors are borrowed like answers."""
    (tmp_path / "in.txt").write_text("一\n二\n坏\n" * 7)
    seen: list[object] = []

    def ask(inputs: Sequence[Texts]) -> Iterator[Outcome]:
        seen.append(sorted(texts[0] for texts in inputs))
        return iter(lengths(inputs))

    found = run(
        job(tmp_path / "in.txt", tmp_path / "out.txt", limits=Limits(rows=2)),
        computing(ask, room=0),
        report=lambda progress: seen.append(progress.rows),
    )
    assert (found.rows, found.failed) == (21, 7)
    assert seen[:3] == [["一", "二"], ["坏"], 2]
    assert rows_of(tmp_path / "out.txt") == ["1.000000"] * 14


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    """Beyond its room the oldest answer is forgotten and computed again."""
    (tmp_path / "in.txt").write_text("".join(f"第{i}行\n" for i in range(50)) * 2)
    asked: list[Texts] = []

    def ask(inputs: Sequence[Texts]) -> list[Outcome]:
        asked.extend(inputs)
        return lengths(inputs)

    run(job(tmp_path / "in.txt", tmp_path / "out.txt"), computing(ask, room=3000))
    assert len(asked) == 100


def test_a_window_is_asked_in_order_of_length_and_written_in_order(tmp_path: Path) -> None:
    """Like lengths stand together in what is computed; the output keeps the input's order."""
    texts = ["长" * n for n in (5, 1, 4, 2, 3)]
    (tmp_path / "in.txt").write_text("\n".join(texts))
    asked: list[Texts] = []

    def ask(inputs: Sequence[Texts]) -> list[Outcome]:
        asked.extend(inputs)
        return lengths(inputs)

    done(tmp_path / "in.txt", tmp_path / "out.txt", ask=ask)
    assert [len(text) for (text,) in asked] == [1, 2, 3, 4, 5]
    assert [float(row) for row in rows_of(tmp_path / "out.txt")] == [5, 1, 4, 2, 3]


def test_nothing_is_overwritten_without_force(source: Path, tmp_path: Path) -> None:
    """An output, an errors file or a part that was there before stays as it is."""
    for name in ("out.csv", "out.csv.errors.jsonl", "out.csv.part"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputExistsError):
            done(source, tmp_path / "out.csv")
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    (tmp_path / "out.csv").write_text("mine")
    done(source, tmp_path / "out.csv", force=True)
    assert rows_of(tmp_path / "out.csv")[0] == "text,n,perplexity"


def test_a_file_that_appears_meanwhile_is_kept(source: Path, tmp_path: Path) -> None:
    """Even one that came after the job began is not overwritten, and the answers are not lost."""

    def ask(inputs: Sequence[Texts]) -> list[Outcome]:
        (tmp_path / "out.csv").write_text("mine")
        return lengths(inputs)

    with pytest.raises(OutputExistsError):
        done(source, tmp_path / "out.csv", ask=ask)
    assert (tmp_path / "out.csv").read_text() == "mine"
    (tmp_path / "out.csv").unlink()
    assert done(source, tmp_path / "out.csv").resumed == 100
    assert len(rows_of(tmp_path / "out.csv")) > 50


def test_another_job_does_not_go_on_here(source: Path, tmp_path: Path) -> None:
    """A changed input, parameter or model is told; with force the job begins again."""
    with pytest.raises(StoppedError):
        run(job(source, tmp_path / "out.csv"), computing(), stopped=lambda: True)
    with pytest.raises(OtherJobError, match="parameters"):
        done(source, tmp_path / "out.csv", parameters={"top_k": 3})
    with pytest.raises(OtherJobError, match="model"):
        done(source, tmp_path / "out.csv", model="another")
    os.utime(source, ns=(0, 0))
    with pytest.raises(OtherJobError, match="files"):
        done(source, tmp_path / "out.csv")
    assert done(source, tmp_path / "out.csv", force=True).resumed == 0


def test_symlinks(source: Path, tmp_path: Path) -> None:
    """A linked output is written where it points, and never when it points at the input."""
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    done(source, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert rows_of(tmp_path / "real.csv")[0] == "text,n,perplexity"
    with pytest.raises(OutputExistsError):
        done(source, tmp_path / "link.csv")
    (tmp_path / "trap.csv").symlink_to(source)
    before = source.read_bytes()
    with pytest.raises(FileError, match="both an input and an output"):
        done(source, tmp_path / "trap.csv", force=True)
    assert source.read_bytes() == before
    (tmp_path / "new.csv.part").symlink_to(tmp_path / "victim")
    (tmp_path / "victim").write_text("mine")
    with pytest.raises((WriteError, OutputExistsError)):
        done(source, tmp_path / "new.csv", force=True)
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize("room", range(0, 4600, 230))
def test_no_space_left(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Wherever a disk gets full, in the output, the errors or the checkpoint, it is told; what was
    written stays, and the job goes on when there is space."""
    real = os.write

    def write(descriptor: int, data: Any) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = real(descriptor, bytes(data)[:room])
        room -= count
        return count

    with monkeypatch.context() as patch:
        patch.setattr(output.os, "write", write)  # type: ignore[attr-defined]
        with pytest.raises(WriteError, match="No space left"):
            done(source, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
    done(source, tmp_path / "out.csv")
    done(source, tmp_path / "whole.csv")
    for ending in ("", ".errors.jsonl"):
        whole = (tmp_path / f"whole.csv{ending}").read_bytes()
        assert (tmp_path / f"out.csv{ending}").read_bytes() == whole


def test_no_room_for_a_table(source: Path, tmp_path: Path) -> None:
    """A table that cannot be made of its rows is told, and made by the next run without asking
    for anything again."""
    pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    in_the_way = tmp_path / "out.xlsx.table.new"
    in_the_way.mkdir()
    with pytest.raises(WriteError, match="directory"):
        done(source, tmp_path / "out.xlsx")
    in_the_way.rmdir()
    assert done(source, tmp_path / "out.xlsx").resumed == 100
    assert (tmp_path / "out.xlsx").exists()


def test_the_systems_own_limit_of_file_size(source: Path, tmp_path: Path) -> None:
    """The same with a limit that the kernel enforces, in a process of its own."""
    code = (
        "import resource\n"
        "from pathlib import Path\n"
        "from qingyu.jobs.errors import WriteError\n"
        "from tests.support.jobs import done\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))\n"
        "try:\n"
        f"    done(Path({str(source)!r}), Path({str(tmp_path / 'out.csv')!r}))\n"
        "except WriteError as error:\n"
        "    print(error.en)\n"
    )
    root = Path(__file__).parent.parent.parent
    told = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=root, check=True, capture_output=True, text=True
    )
    assert "File too large" in told.stdout
    assert done(source, tmp_path / "out.csv").rows == 100


def test_an_output_that_cannot_be_written(source: Path, tmp_path: Path) -> None:
    """A folder that is a file, and a device, are told before anything is computed."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Cannot make"):
        done(source, tmp_path / "file" / "out.csv")
    (tmp_path / "pipe.csv").symlink_to("/dev/null")
    with pytest.raises(FileError):
        done(source, tmp_path / "pipe.csv", force=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(source: Path, tmp_path: Path) -> None:
    """A folder without permission is told by name."""
    (tmp_path / "closed").mkdir(mode=0o555)
    with pytest.raises(WriteError, match="Permission denied"):
        done(source, tmp_path / "closed" / "out.csv")


def test_a_read_only_file_system(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where the system says EROFS."""

    def refuse(*args: Any, **kwargs: Any) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(output.os, "open", refuse)  # type: ignore[attr-defined]
        with pytest.raises(WriteError, match="Read-only file system"):
            done(source, tmp_path / "out.csv")


def test_one_process_at_a_time(source: Path, tmp_path: Path) -> None:
    """A second run on the same output is refused while the first lives."""
    planned = job(source, tmp_path / "out.csv")
    lock = Lock(planned.layout.lock, planned.layout.root)
    with pytest.raises(BusyError):
        run(planned, computing())
    lock.release()
    assert run(planned, computing()).rows == 100


def test_a_checkpoint_that_makes_no_sense(source: Path, tmp_path: Path) -> None:
    """Damage to the checkpoint is told, not guessed at."""
    (tmp_path / "out.csv.checkpoint").write_text("{")
    with pytest.raises(FileError, match="--force"):
        done(source, tmp_path / "out.csv")
    assert done(source, tmp_path / "out.csv", force=True).rows == 100
