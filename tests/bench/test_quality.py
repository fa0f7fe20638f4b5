"""What the tables of quality are made of, on numbers made by hand."""

from __future__ import annotations

import pytest

from bench import quality, quality_written


def test_order_is_compared_by_rank_with_ties_in_the_middle() -> None:
    """Monotone is 1, turned is -1; equal values share their mean rank."""
    assert quality.spearman([1, 2, 4, 8], [0, 1, 2, 3]) == pytest.approx(1)
    assert quality.spearman([1, 2, 3], [9, 5, 1]) == pytest.approx(-1)
    assert quality.spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(0.866025, abs=1e-5)


def test_a_calibration_error_is_the_distance_from_what_was_said() -> None:
    """Said 90 % and right half of the time is .4 off."""
    told = quality_written.judged([True, False], [0.9, 0.9])
    assert told.value == 0.5
    assert told.calibration_error == pytest.approx(0.4)


def test_ranks_of_an_faq() -> None:
    """First, in three, and how often the most forward entry answers what is not its own."""
    answers = [("1", ["1", "2"]), ("2", ["1", "2"]), ("3", ["1", "2"]), ("4", ["4"])]
    found = quality_written.ranked(answers)
    assert found["first"] == 0.5
    assert found["in the first three"] == 0.75
    assert found["one entry first for unrelated ones"] == pytest.approx(2 / 3)


def test_lists_part_into_halves_that_both_have_rows() -> None:
    """Every list has a half to look at and one kept apart, and the same each time."""
    for name in ("contrast.tsv", "faq_questions.tsv", "support.tsv"):
        halves = [quality_written.half_of("".join(line)) for line in quality_written.lines(name)]
        assert 0.35 < halves.count("seen") / len(halves) < 0.65
