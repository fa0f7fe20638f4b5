"""How CPUs are shared out between batches and the threads of a batch."""

from __future__ import annotations

from typing import Any

import pytest

from qingyu.settings import Settings
from qingyu.web.app import lanes_and_threads


@pytest.mark.parametrize(
    ("cpus", "given", "expected"),
    [
        (1, {}, (1, 1)),
        (2, {}, (2, 1)),
        (8, {}, (8, 1)),
        (32, {}, (8, 4)),
        (8, {"workers": 4}, (2, 1)),
        (2, {"workers": 4}, (1, 1)),
        (8, {"threads": 4}, (2, 4)),
        (2, {"threads": 8}, (1, 8)),
        (8, {"lanes": 2}, (2, 4)),
        (8, {"lanes": 3, "threads": 5}, (3, 5)),
    ],
)
def test_lanes_and_threads(cpus: int, given: dict[str, Any], expected: tuple[int, int]) -> None:
    """A batch a CPU by default, at most eight; what is set is kept and the rest follows."""
    assert lanes_and_threads(Settings(**given), cpus) == expected
