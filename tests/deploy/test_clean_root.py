"""The image, made and run without a container engine: minutes, and only where it is asked for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from .clean_root import rehearse

WANTED = os.environ.get("QINGYU_CLEAN_ROOT")  # a folder to keep the base in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WANTED, reason="QINGYU_CLEAN_ROOT names no folder for it"),
    pytest.mark.skipif(shutil.which("debootstrap") is None, reason="there is no debootstrap"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make roots"),
]


def test_the_dockerfile_in_a_clean_root() -> None:
    """Its own commands make an image that adds at most 250 MB to its base, and whose service
    answers, healthy and as nobody in particular, on a root that cannot be written."""
    told = rehearse(Path(str(WANTED)))
    assert told["added_mb"] <= 250
    assert "[MASK]" not in told["sequence"]
