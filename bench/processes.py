"""What processes hold and spend, read from /proc (Linux); one that has ended counts nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from qingyu.machine import resident_bytes

PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    members = [pid]
    for one in members:  # grows meanwhile
        with suppress(OSError):
            for children in (PROC / str(one) / "task").glob("*/children"):
                members += map(int, children.read_text("ascii").split())
    return members


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time of all their threads, in user mode and in the kernel."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_megabytes(*pids: int) -> float:
    """Resident set size, MB; pages that they share count once each."""
    return sum(map(resident_bytes, pids)) / 1e6


def proportional_megabytes(pids: Iterable[int]) -> float:
    """Proportional set size, MB: pages that they share count once."""
    kilobytes = 0
    for pid in pids:
        with suppress(OSError):
            text = (PROC / str(pid) / "smaps_rollup").read_text("ascii")
            kilobytes += sum(map(int, re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)))
    return kilobytes * 1024 / 1e6
