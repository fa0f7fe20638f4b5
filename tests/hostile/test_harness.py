"""The harness itself: what does no harm is withstood, and what does harm is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .harness import job_file, request, withstood

pytestmark = pytest.mark.slow


def test_harmless_work_is_withstood_and_harm_is_noticed() -> None:
    """A small job and a request pass; a slow answer, a refusal, memory or a bad end do not."""
    seen = withstood(job_file("a.txt", "今天[MASK]好\n".encode()), jobs=True, seconds=0.5)
    seen.check()
    assert seen.answers == {200, 201}
    assert seen.peak_mb > 50
    for harm in (
        {"light": 60.0}, {"live": 60.0}, {"refused": (429,)}, {"peak_mb": 601.0}, {"end": 60.0},
        {"status": -9}, {"answers": frozenset({500})}, {"attacks": 0},
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            replace(seen, **harm).check()  # type: ignore[arg-type]


def test_a_request_is_made_again_and_again() -> None:
    """An attack goes on until the end, with what it was answered."""
    seen = withstood(request("/v1/fill-mask", {"text": "没有空"}), seconds=0.5)
    seen.check()
    assert seen.answers == {422}
    assert seen.attacks > 1
