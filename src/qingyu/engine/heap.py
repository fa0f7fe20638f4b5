"""Giving freed memory back to the system."""

from __future__ import annotations

import ctypes


def trim() -> None:
    """Return what the C heap holds free, where it can be (glibc).

    Making a session packs weights and frees their first copies, which the heap would keep.
    """
    try:
        trim_heap = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # not glibc
        return
    trim_heap(0)
