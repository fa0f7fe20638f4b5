"""The model behind a job: what stands beside a text never changes its answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import qingyu
from qingyu.jobs.local import asking
from qingyu.model import Model

# In a batch as wide as 16 tokens this text of 15 lands on the other side of a rounding.
DELICATE = "昨天图书馆开着花，[MASK]34号店"
COMPANY = [
    "昨天图书馆开着花，[MASK]3456号店吗",
    "今天[MASK]好",
    "早上公园很安静，[MASK]号楼在修路很久了",
]


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    loaded = qingyu.load(threads=1)
    yield loaded
    loaded.close()


@pytest.mark.parametrize("task", ["fill-mask", "check", "feature-extraction"])
def test_company_changes_nothing(model: Model, task: str) -> None:
    """A text is answered the same, to the last bit, alone and among longer and shorter ones."""
    ask = asking(model, task, {})
    (alone,) = ask([(DELICATE,)])
    together = ask([(text,) for text in [*COMPANY, DELICATE, *COMPANY]])
    assert together[3] == alone
    assert together[0] == together[4]


def test_lanes_change_nothing(model: Model) -> None:
    """Parts answered in several threads are those answered in one, in their order."""
    texts = [(f"第{i}天的天气真[MASK]啊。",) if i % 5 else ("没有空",) for i in range(300)]
    with ThreadPoolExecutor(2) as pool:
        apart = asking(model, "fill-mask", {}, pool.map)(texts)
    plain = asking(model, "fill-mask", {})(texts)
    assert [str(one) for one in apart] == [str(one) for one in plain]


def test_it_answers_as_the_model_does(model: Model) -> None:
    """A job's result is the result of the method, as a dictionary."""
    (found,) = asking(model, "zero-shot-classification", {"candidate_labels": "天气,体育"})(
        [("今天天气真好",)]
    )
    assert found == model.zero_shot("今天天气真好", "天气,体育").to_dict()
