"""A few hundred bent job files; `fuzz_files.py` works on thousands by hand."""

from __future__ import annotations

import sys

import pytest

from .fuzz_files import watch


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")
def test_bent_files_do_no_harm() -> None:
    """No file ends the process, takes five seconds or an error that is none of ours."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("openpyxl")
    pytest.importorskip("zstandard")
    assert watch(inputs=200, seed=5, grown=2.0) == []
