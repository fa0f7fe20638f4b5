"""How many threads to compute with: the CPUs this process may really use."""

from __future__ import annotations

import math
import os
from pathlib import Path

THREADS_VARIABLE = "QINGYU_THREADS"
CGROUP = Path("/sys/fs/cgroup")


def available_cpus(cgroup: Path = CGROUP) -> int:
    """CPUs by affinity, and no more than the cgroup's quota (v2 or v1) pays for."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        cpus = os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(cpus, math.ceil(quota))) if quota else cpus


def thread_count(threads: int | None = None) -> int:
    """`threads` where given, else QINGYU_THREADS, else the CPUs available."""
    if threads is None:
        text = os.environ.get(THREADS_VARIABLE, "")
        threads = int(text) if text.isdecimal() else 0
    return threads if threads > 0 else available_cpus()


def _quota(cgroup: Path) -> float | None:
    """CPUs' worth of time the cgroup may use, or None where nothing limits it."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return float(quota) / float(period) if float(quota) > 0 else None
    except ValueError:  # "max": no limit
        return None
