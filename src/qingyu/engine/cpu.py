"""Whether this CPU's products of bytes can overflow."""

from __future__ import annotations

import platform
from pathlib import Path

X86 = ("x86_64", "amd64", "i386", "i686")
EXACT = {"avx512_vnni", "avx_vnni", "amx_int8"}


def products_overflow(machine: str | None = None, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether ONNX Runtime's kernels add two products of an unsigned and a signed byte in 16 bits,
    where large weights saturate: on x86 without VNNI or AMX, and where the system does not tell.
    """
    if (machine or platform.machine()).lower() not in X86:
        return False
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return True
    flags = next((line for line in lines if line.startswith("flags")), "")
    return EXACT.isdisjoint(flags.split())
