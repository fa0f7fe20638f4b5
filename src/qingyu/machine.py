"""The machine: its CPU, the CPUs and memory this process may use, and what processes hold.

The only reader of /proc and of cgroups. On systems that have neither, what is not known is None or
0, as each function says.
"""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CPUINFO = PROC / "cpuinfo"
CGROUP = Path("/sys/fs/cgroup")
MEMORY_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # of cgroup v2 and v1

# Linux's names for what decides the speed of INT8 products, best first.
X86_FEATURES = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2")
ARM_FEATURES = ("i8mm", "asimddp", "asimd")
FAST_INT8 = {"amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp"}


@dataclass(frozen=True)
class Cpu:
    """`flags`: all features by Linux's names, or None where the system does not tell.

    megahertz: the clock at the time it was read, 0 where the system does not tell
    """

    model: str
    flags: frozenset[str] | None
    megahertz: float = 0.0

    @property
    def features(self) -> tuple[str, ...] | None:
        """Those that decide how fast INT8 is."""
        if self.flags is None:
            return None
        return tuple(name for name in X86_FEATURES + ARM_FEATURES if name in self.flags)

    @property
    def fast_int8(self) -> bool | None:
        """Whether INT8 products have instructions of their own."""
        return None if self.flags is None else not FAST_INT8.isdisjoint(self.flags)


def read_cpu(cpuinfo: Path = CPUINFO) -> Cpu:
    """The first CPU that the system lists."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Cpu(platform.processor() or platform.machine(), None)
    fields: dict[str, str] = {}
    for line in text.split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    flags = fields.get("flags") or fields.get("Features") or ""
    model = fields.get("model name") or platform.machine()
    return Cpu(model, frozenset(flags.split()), float(fields.get("cpu MHz") or 0))


def available_cpus(cgroup: Path = CGROUP) -> int:
    """CPUs by affinity, and no more than the cgroup's quota (v2 or v1) pays for."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        cpus = os.cpu_count() or 1
    quota = _cpu_quota(cgroup)
    return max(1, min(cpus, math.ceil(quota))) if quota else cpus


def _cpu_quota(cgroup: Path) -> float | None:
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


def memory_bytes(cgroup: Path = CGROUP) -> int | None:
    """Memory this process may use: what the machine has, or less where a cgroup says so."""
    limits = [] if (physical := _physical_bytes()) is None else [physical]
    for name in MEMORY_LIMITS:
        try:
            limits.append(int((cgroup / name).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return min(limits, default=None)


def _physical_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def resident_bytes(pid: int | None = None) -> int:
    """Resident set of a process (this one by default) in bytes; 0 where the system does not tell
    or the process is gone."""
    return _status_bytes("VmRSS", pid)


def peak_bytes(pid: int | None = None) -> int:
    """The largest resident set so far, or since `forget_peak`; 0 as above."""
    return _status_bytes("VmHWM", pid)


def forget_peak() -> None:
    """Let this process's `peak_bytes` start again from what is resident now, where Linux allows."""
    try:
        (PROC / "self/clear_refs").write_text("5")
    except OSError:  # then the peak stays that of the whole run so far
        return


def _status_bytes(key: str, pid: int | None) -> int:
    """A line of /proc/<pid>/status, which counts in KiB."""
    try:
        lines = (PROC / str(pid or "self") / "status").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(key)), 0)
