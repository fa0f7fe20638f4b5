"""Errors pass between processes."""

from __future__ import annotations

import pickle

import pytest

from qingyu.errors import DeadlineError, NoMaskError, OverloadedError, QingyuError, TextTooLongError
from qingyu.jobs.errors import RowError


@pytest.mark.parametrize(
    "error",
    [
        NoMaskError(),
        TextTooLongError(9, 5),
        OverloadedError(3),
        DeadlineError(1),
        RowError("a", "b"),
    ],
)
def test_an_error_is_itself_elsewhere(error: QingyuError) -> None:
    """Type, words and fields are the same after a journey, whatever the constructor takes."""
    other = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(other) is type(error)
    assert (str(other), vars(other)) == (str(error), vars(error))
