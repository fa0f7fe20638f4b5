"""What a benchmark reads of processes, and the sentences that it sends."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from itertools import islice

import pytest

from bench import processes, sentences

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@linux
def test_a_family_is_counted_together() -> None:
    """Children belong to it, what they hold and spent is added, and what has ended is nothing."""
    code = "import sys; data = bytearray(50_000_000); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        members = processes.family(os.getpid())
        assert {os.getpid(), child.pid} <= set(members)
        both = processes.resident_megabytes(os.getpid(), child.pid)
        assert both > processes.resident_megabytes(os.getpid()) + 50
        assert processes.proportional_megabytes([child.pid]) > 50
        assert processes.cpu_seconds([child.pid]) > 0
        child.communicate()
    assert processes.cpu_seconds([child.pid]) == 0
    assert processes.resident_megabytes(child.pid) == 0
    assert child.pid not in processes.family(os.getpid())


def test_sentences_differ() -> None:
    """The first 640 short ones do, distinct ones as many as wanted; each has its mask."""
    short = list(islice(sentences.short(), 640))
    assert len(set(short)) == 640
    made = sentences.distinct(500, random.Random(0), masked=True)
    assert len(set(made)) == 500
    assert all(text.count("[MASK]") == 1 for text in [*short, *made])
    assert "[MASK]" not in "".join(sentences.distinct(5, random.Random(0), masked=False))
    assert len(sentences.corpus()) > 1000
