"""What goes wrong on a cluster is told as it is told on one machine."""

from __future__ import annotations

import pytest

from qingyu.errors import QingyuError
from qingyu.jobs.errors import ClusterError, FileError
from qingyu.scale.batch import _told


class Remote(Exception):  # noqa: N818 as a cluster wraps what was raised elsewhere
    def __init__(self, cause: Exception) -> None:
        super().__init__("a traceback\nof many lines")
        self.cause = cause


class BothError(QingyuError):
    """A wrapper that is also of the class it wraps, with words of its own."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("一段回溯", "a traceback")
        self.cause = cause


def chained(error: Exception, inner: Exception) -> Exception:
    error.__cause__ = inner
    return error


INNER = FileError("损坏", "is damaged")


@pytest.mark.parametrize(
    "raised",
    [INNER, Remote(INNER), BothError(INNER), chained(ValueError("outer"), BothError(INNER))],
)
def test_our_own_errors_come_back_as_they_were(raised: Exception) -> None:
    """However often an error of ours is wrapped on its way here, it is the one that is told."""
    assert _told("auto", raised) is INNER


@pytest.mark.parametrize("raised", [ConnectionError("no answer\nat all"), Remote(OSError("gone"))])
def test_all_else_is_the_clusters(raised: Exception) -> None:
    """Anything else names the cluster and the last line of what it said, and promises the rest."""
    told = _told("10.0.0.1:6379", raised)
    assert isinstance(told, ClusterError)
    assert "10.0.0.1:6379" in told.en
    assert str(raised).splitlines()[-1] in told.en
    assert "goes on" in told.en
