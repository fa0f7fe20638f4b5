"""The machine and the commit that results belong to."""

from __future__ import annotations

import platform
import subprocess
from datetime import date
from typing import Any

from bench.peers.environments import ROOT
from qingyu.machine import read_cpu

FEATURES = ("amx_int8", "amx_bf16", "avx512_vnni", "avx_vnni", "avx512f", "avx2")


def provenance(threads: int) -> dict[str, Any]:
    """What every file of results begins with."""
    return {"machine": machine(threads), "commit": commit(), "date": date.today().isoformat()}


def machine(threads: int) -> dict[str, Any]:
    """The processor as Linux tells it, and the interpreter of the harness."""
    cpu = read_cpu()
    flags = cpu.flags or frozenset()
    return {
        "cpu": cpu.model,
        "features": [name for name in FEATURES if name in flags],
        "mhz": cpu.megahertz,
        "threads": threads,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit, with a mark where a file of the package differs from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
