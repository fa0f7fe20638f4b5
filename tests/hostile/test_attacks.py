"""Every attack of `attacks.py`, one after another, against a service that others use meanwhile.

`python -m tests.hostile` makes each again and again against a service of its own, with SIGTERM in
the middle of it, and tells what others noticed.
"""

from __future__ import annotations

import pytest

from .attacks import BODIES, MULTIPLIED, READERS
from .harness import Attack, one_after_another, withstood

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "attacks",
    [MULTIPLIED, BODIES, READERS],
    ids=["multiplied work", "dear bodies", "readers that stop"],
)
def test_others_hardly_notice(attacks: dict[str, Attack]) -> None:
    """Light requests are answered, memory stays bounded, and SIGTERM ends it in its drain time."""
    withstood(one_after_another(attacks)).check()
