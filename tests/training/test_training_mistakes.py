"""Mistakes made for training: what was meant can be read back from each."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.text.sounds_and_shapes import SoundsAndShapes
from training.mistakes import TOO_LITTLE, TOO_MUCH, Marked, Mistakes, aligned, settled

TEXT = "今天的天气真好，我们在公园里高兴地玩了一天。"


@pytest.fixture(scope="module")
def mistakes() -> Mistakes:
    frequency = Counter(dict.fromkeys("今金天的地得气汽真好我们在再公园圆里理高兴玩完了一", 9))
    words = Counter({"公园": 50, "公元": 50})
    return Mistakes(SoundsAndShapes.read(), frequency, words, [("以经走了", "已经走了")])


def restored(marked: Marked) -> list[str]:
    """The text put right, piece by piece; what is missing is a gap."""
    pieces: list[str] = []
    for i, char in enumerate(marked.text):
        mark = marked.meant.get(i, char)
        if mark == TOO_LITTLE:
            pieces += ["", char]
        elif mark != TOO_MUCH:
            pieces.append(mark)
    return pieces


def fits(pieces: list[str], text: str) -> bool:
    """Whether the pieces are the text, a gap standing for any character."""
    return len(pieces) == len(text) and all(a in ("", b) for a, b in zip(pieces, text, strict=True))


@given(seed=st.integers(0, 10_000))
def test_what_was_meant_can_be_read_back(mistakes: Mistakes, seed: int) -> None:
    """Whatever mistakes are made, putting them right gives the text they were made in."""
    marked = mistakes.make(TEXT, np.random.default_rng(seed))
    assert fits(restored(marked), TEXT)
    assert len(marked.meant) <= 6
    assert mistakes.make(TEXT, np.random.default_rng(seed)) == marked


def test_one_too_many_and_one_too_few() -> None:
    """A doubling moves what follows, an omission is marked at what comes next."""
    assert settled("我好吗", {1: TOO_MUCH}) == Marked("我好好吗", {2: TOO_MUCH})
    assert settled("我好吗", {1: TOO_LITTLE}) == Marked("我吗", {1: TOO_LITTLE})


def test_peoples_mistakes_are_read_as_they_stand() -> None:
    """Where a sentence and its correction differ is what was meant."""
    assert aligned("天汽好", "天气好") == Marked("天汽好", {1: "气"})
    with pytest.raises(ValueError, match="length"):
        aligned("天", "天气")
