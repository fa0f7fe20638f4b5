"""The runtime is quiet: it sends nothing and writes nothing but what we write."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc to be unwritable")
def test_nothing_is_written_where_nothing_can_be() -> None:
    """On a read-only root a model loads without a line on standard error."""
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "TMPDIR"), "/proc/1")
    run = subprocess.run(
        [sys.executable, "-c", "import qingyu; qingyu.load(threads=1).close()"],
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
