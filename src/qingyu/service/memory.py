"""What the process holds, and giving back what it no longer needs."""

from __future__ import annotations

import gc
import os
from pathlib import Path

from qingyu.engine import heap

STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Resident set of this process in bytes; 0 where the system does not tell."""
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def give_back() -> None:
    """Return freed memory to the system: collect cycles, then trim the C heap."""
    gc.collect()
    heap.trim()
