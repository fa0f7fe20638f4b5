"""How many replicas there should be, by the tokens that wait."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qingyu.errors import InputError
from qingyu.scale.serve import QUEUED_TOKENS, TokensPolicy, _numbers


def context(replicas: int, *waiting: float, low: int = 1, high: int = 10) -> Any:
    return SimpleNamespace(
        aggregated_metrics={QUEUED_TOKENS: dict(enumerate(waiting))},
        current_num_replicas=replicas,
        capacity_adjusted_min_replicas=low,
        capacity_adjusted_max_replicas=high,
    )


@pytest.mark.parametrize(
    ("now", "waiting", "wanted"),
    [
        (2, (256, 256), 2),  # just right
        (2, (512, 300), 4),  # up at once
        (2, (9000, 9000), 4),  # at most twice as many
        (8, (9000,), 10),  # never over the most
        (6, (0,), 5),  # one down at a time
        (1, (), 1),  # never under the least
    ],
)
def test_replicas_follow_the_tokens(now: int, waiting: tuple[float, ...], wanted: int) -> None:
    """Each replica should have about the target waiting; steps are bounded."""
    assert TokensPolicy(256)(context(now, *waiting))[0] == wanted


@pytest.mark.parametrize("arguments", [{"cpu": "1"}, {"cpus": "0"}, {"cpus": "x"}])
def test_wrong_arguments(arguments: dict[str, str]) -> None:
    """A typing mistake is told with what there is."""
    with pytest.raises(InputError, match="max_replicas"):
        _numbers(arguments)
