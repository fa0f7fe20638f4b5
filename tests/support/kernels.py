"""The native engine's instruction sets, for tests that run each of them."""

from __future__ import annotations

import pytest

from qingyu.engine.native import library


def available() -> tuple[str, ...]:
    """The instruction sets that this CPU has, or none where nothing was compiled."""
    try:
        return library.instruction_sets()
    except OSError:
        return ()


compiled = pytest.mark.skipif(not available(), reason="the native engine is not compiled")
each_set = pytest.mark.parametrize("instruction_set", range(max(1, len(available()))))
