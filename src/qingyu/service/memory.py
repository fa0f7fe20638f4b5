"""Giving back memory that the process no longer needs."""

from __future__ import annotations

import gc

from qingyu.engine import heap


def give_back() -> None:
    """Return freed memory to the system: collect cycles, then trim the C heap."""
    gc.collect()
    heap.trim()
