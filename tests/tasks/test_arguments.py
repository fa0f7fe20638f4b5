"""Arguments as programs hand them over: arrays, columns, iterators, and what holds no text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import qingyu
from qingyu.errors import InputError, ModelClosedError
from qingyu.model import Model

TEXTS = ["天气真[MASK]啊。", "首[MASK]北京。"]


class Column:
    """A column of a data frame, as far as it matters here."""

    def tolist(self) -> list[str]:
        return TEXTS


@pytest.mark.parametrize(
    "hand_over",
    [list, tuple, np.array, iter, lambda texts: Column(), lambda texts: (t for t in texts)],
)
def test_many_texts_in_anything_that_holds_them(
    model: Model, hand_over: Callable[[list[str]], Any]
) -> None:
    """An array, a column and an iterator are answered as a list is."""
    assert model.fill_mask(hand_over(TEXTS)) == model.fill_mask(TEXTS)


def test_scalars_of_numpy(model: Model) -> None:
    """A string, a whole number and a list of labels out of arrays are what they stand for."""
    text = np.array(TEXTS)[0]
    assert model.fill_mask(text, top_k=np.int64(2)) == model.fill_mask(TEXTS[0], top_k=2)
    labels = np.array(["天气", "体育"])
    assert model.zero_shot("今天下雨", labels) == model.zero_shot("今天下雨", ["天气", "体育"])
    pairs = model.similarity(np.array(["甲", "乙"]), np.array(["甲", "丙"]))
    assert [one.text_pair for one in pairs] == ["甲", "丙"]


@pytest.mark.parametrize("given", [None, b"abc", 3, {"text": "x"}, object()])
def test_what_holds_no_text(model: Model, given: Any) -> None:
    """One clear error, not a traceback out of the middle."""
    with pytest.raises(InputError, match="text should be a string or a list of strings"):
        model.fill_mask(given)
    with pytest.raises(InputError, match="string"):
        model.similarity("x", given)


@pytest.mark.parametrize("given", [True, 2.0, "3", np.float32(2), np.array([1, 2])])
def test_a_count_that_is_none(model: Model, given: Any) -> None:
    """Only whole numbers count."""
    with pytest.raises(InputError, match="top_k"):
        model.fill_mask(TEXTS[0], top_k=given)


def test_a_closed_model_says_so() -> None:
    """Closed by `with` or by hand, twice if need be, it answers no more and says why."""
    with qingyu.load() as model:
        assert model.fill_mask(TEXTS[0]).masks
    model.close()
    with pytest.raises(ModelClosedError, match="load it again"):
        model.fill_mask(TEXTS[0])


def test_the_module_lists_its_names() -> None:
    """What Tab shows is what there is to use, and `load` among it."""
    assert "load" in dir(qingyu)
    assert all(hasattr(qingyu, name) for name in dir(qingyu))
