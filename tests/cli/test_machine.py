"""What is read of this machine, from files written as Linux writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.cli.machine import memory_bytes, read_cpu


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
