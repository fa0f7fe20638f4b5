"""How many threads to compute with."""

from __future__ import annotations

import os

from qingyu.machine import available_cpus

THREADS_VARIABLE = "QINGYU_THREADS"


def thread_count(threads: int | None = None) -> int:
    """`threads` where given, else QINGYU_THREADS, else the CPUs available."""
    if threads is None:
        text = os.environ.get(THREADS_VARIABLE, "")
        threads = int(text) if text.isdecimal() else 0
    return threads if threads > 0 else available_cpus()
