"""Whether this CPU's products of bytes can overflow."""

from __future__ import annotations

import platform
from pathlib import Path

from qingyu.machine import CPUINFO, read_cpu

X86 = ("x86_64", "amd64", "i386", "i686")
EXACT = {"avx512_vnni", "avx_vnni", "amx_int8"}


def products_overflow(machine: str | None = None, cpuinfo: Path = CPUINFO) -> bool:
    """Whether ONNX Runtime's kernels add two products of an unsigned and a signed byte in 16 bits,
    where large weights saturate: on x86 without VNNI or AMX, and where the system does not tell.
    """
    if (machine or platform.machine()).lower() not in X86:
        return False
    flags = read_cpu(cpuinfo).flags
    return flags is None or EXACT.isdisjoint(flags)
