"""What is read of this machine, from files written as Linux writes them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from qingyu.machine import available_cpus, memory_bytes, peak_bytes, read_cpu, resident_bytes


@pytest.mark.parametrize(
    ("cpuinfo", "features", "fast"),
    [
        ("model name\t: A\nflags\t\t: fpu avx2 avx512_vnni\n", ("avx512_vnni", "avx2"), True),
        ("model name\t: B\nflags\t\t: fpu avx2\n\nmodel name\t: B\n", ("avx2",), False),
        ("Features\t: fp asimd asimddp\n", ("asimddp", "asimd"), True),
        ("processor\t: 0\n", (), False),
    ],
)
def test_features_that_matter_are_found(
    tmp_path: Path, cpuinfo: str, features: tuple[str, ...], fast: bool
) -> None:
    """x86 and ARM name their features differently; fast INT8 follows from either."""
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo, encoding="utf-8")
    cpu = read_cpu(path)
    assert (cpu.features, cpu.fast_int8) == (features, fast)


def test_a_silent_system_claims_nothing(tmp_path: Path) -> None:
    """Where there is no cpuinfo, speed is unknown rather than slow."""
    assert read_cpu(tmp_path / "none").fast_int8 is None


def test_memory_is_what_the_cgroup_leaves(tmp_path: Path) -> None:
    """The smaller of the machine's memory and the cgroup's limit counts; "max" is no limit."""
    physical = memory_bytes(tmp_path)
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert memory_bytes(tmp_path) == physical
    (tmp_path / "memory.max").write_text("1048576\n", encoding="ascii")
    assert memory_bytes(tmp_path) == 1 << 20


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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told by Linux alone")
def test_what_a_process_holds() -> None:
    """Resident now is no more than the most there ever was; a process that is not there holds 0."""
    assert 1 << 20 < resident_bytes() <= peak_bytes()
    assert resident_bytes(os.getpid()) > 1 << 20
    assert resident_bytes(2**31 - 1) == 0


def test_nobody_else_reads_proc_and_cgroups() -> None:
    """Where a system keeps what it tells is known in one file of the package."""
    package = Path(__file__).parents[1] / "src" / "qingyu"
    readers = {
        path.name
        for path in package.rglob("*.py")
        if re.search(r"""["']/(proc|sys)/|\bPROC\b|sched_getaffinity""", path.read_text("utf-8"))
    }
    assert readers == {"machine.py"}
