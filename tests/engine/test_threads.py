"""Threads: as many as were asked for, and by default as many CPUs as the process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qingyu.engine.threads import THREADS_VARIABLE, available_cpus, thread_count


def allowed() -> int:
    return len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [("max 100000", None), ("100000 100000", 1), ("150000 100000", 2), ("5000 100000", 1),
     ("6400000 100000", None), ("-1 100000", None), ("", None), ("nonsense", None)],
)  # fmt: skip
def test_a_quota_of_cgroup_2(tmp_path: Path, quota: str, cpus: int | None) -> None:
    """A part of a CPU counts as a whole one; no limit, or one above the machine, is none."""
    (tmp_path / "cpu.max").write_text(quota)
    assert available_cpus(tmp_path) == (allowed() if cpus is None else min(cpus, allowed()))


@pytest.mark.parametrize(("quota", "cpus"), [(-1, None), (50_000, 1), (100_000, 1)])
def test_a_quota_of_cgroup_1(tmp_path: Path, quota: int, cpus: int | None) -> None:
    """The older files say the same, with -1 for no limit."""
    folder = tmp_path / "cpu"
    folder.mkdir()
    (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert available_cpus(tmp_path) == (cpus or allowed())


def test_without_cgroups(tmp_path: Path) -> None:
    """Where there are no such files, affinity decides."""
    assert available_cpus(tmp_path) == allowed()


def test_without_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems know no affinity: then all CPUs, and at least one."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cpus(tmp_path) == 1


@pytest.mark.parametrize(
    ("asked", "variable", "expected"),
    [(3, None, 3), (3, "5", 3), (None, "5", 5), (0, "5", None), (None, "0", None),
     (None, "many", None), (None, "", None), (-1, None, None)],
)  # fmt: skip
def test_what_was_asked_for_comes_first(
    asked: int | None,
    variable: str | None,
    expected: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The argument, then QINGYU_THREADS, then the CPUs; what is no count is passed over."""
    monkeypatch.delenv(THREADS_VARIABLE, raising=False)
    if variable is not None:
        monkeypatch.setenv(THREADS_VARIABLE, variable)
    assert thread_count(asked) == (expected or available_cpus())
