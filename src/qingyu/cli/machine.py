"""What this machine offers: instruction sets that matter here, and memory."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

# Linux's names for what decides the speed of INT8 products, best first.
X86_FEATURES = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2")
ARM_FEATURES = ("i8mm", "asimddp", "asimd")
FAST_INT8 = {"amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp"}

CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Cpu:
    """`features` is None where the system does not tell."""

    model: str
    features: tuple[str, ...] | None

    @property
    def fast_int8(self) -> bool | None:
        """Whether INT8 products have instructions of their own."""
        return None if self.features is None else not FAST_INT8.isdisjoint(self.features)


def read_cpu(cpuinfo: Path = Path("/proc/cpuinfo")) -> Cpu:
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Cpu(platform.processor() or platform.machine(), None)
    first: dict[str, str] = {}
    for line in text.split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        first[key.strip()] = value.strip()
    flags = set((first.get("flags") or first.get("Features") or "").split())
    features = tuple(name for name in X86_FEATURES + ARM_FEATURES if name in flags)
    return Cpu(first.get("model name") or platform.machine(), features)


def memory_bytes(cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Memory this process may use: what the machine has, or less where a cgroup says so."""
    limits = [] if (physical := _physical_bytes()) is None else [physical]
    for name in CGROUP_LIMITS:
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
