"""Threads: as many as were asked for, and by default as many CPUs as the process may use."""

from __future__ import annotations

import pytest

from qingyu.engine.threads import THREADS_VARIABLE, thread_count
from qingyu.machine import available_cpus


@pytest.mark.parametrize(
    ("asked", "variable", "expected"),
    [(3, None, 3), (3, "5", 3), (None, "5", 5), (0, "5", None), (None, "0", None),
     (None, "many", None), (None, "", None), (-1, None, None)],
)  # fmt: skip
def test_what_was_asked_for_comes_first(
    asked: int | None,
    variable: str | None,
    expected: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The argument, then QINGYU_THREADS, then the CPUs; what is no count is passed over."""
    monkeypatch.delenv(THREADS_VARIABLE, raising=False)
    if variable is not None:
        monkeypatch.setenv(THREADS_VARIABLE, variable)
    assert thread_count(asked) == (expected or available_cpus())
