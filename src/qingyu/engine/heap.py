"""The C heap (glibc): kept between runs, trimmed when a model is closed."""

from __future__ import annotations

import ctypes
from typing import Any

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
LARGEST_FROM_HEAP = 32 << 20  # the most that glibc allows
KEPT_FREE = 64 << 20


def keep() -> None:
    """Let the heap keep up to 64 MB free instead of giving every large array back at once.

    Arrays between layers are a few MB. Mapped anew for each node, they cost a page fault every
    4 KB: a third of the CPU time of a batch of 8 x 32 tokens.
    """
    heap = _heap()
    if heap is not None:
        heap.mallopt(M_MMAP_THRESHOLD, LARGEST_FROM_HEAP)
        heap.mallopt(M_TRIM_THRESHOLD, KEPT_FREE)


def share() -> None:
    """Let threads that start from now on allocate from one heap.

    By default each has its own, and each grows to what the rarest of its batches needs: with two
    lanes and texts of mixed length a sixth of the process's memory (measured, at no cost in time).
    """
    heap = _heap()
    if heap is not None:
        heap.mallopt(M_ARENA_MAX, 1)


def trim() -> None:
    """Return what the heap holds free to the system.

    Making a session packs weights and frees their first copies, which the heap would keep.
    """
    heap = _heap()
    if heap is not None:
        heap.malloc_trim(0)


def _heap() -> Any:
    """The C library where it is glibc, or None."""
    try:
        library = ctypes.CDLL(None)
        return library if library.malloc_trim and library.mallopt else None
    except (OSError, AttributeError, TypeError):
        return None
