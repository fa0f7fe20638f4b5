"""The model behind a job: what stands beside a text never changes its answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qingyu
from qingyu.jobs.local import asking
from qingyu.jobs.runner import locally, run
from qingyu.jobs.windows import Answering, Limits
from qingyu.model import Model
from tests.support.jobs import job

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
    together = list(ask([(text,) for text in [*COMPANY, DELICATE, *COMPANY]]))
    assert together[3] == alone
    assert together[0] == together[4]


def test_lanes_change_nothing(model: Model) -> None:
    """Parts answered in several threads are those answered in one, in their order."""
    texts = [(f"第{i}天的天气真[MASK]啊。",) if i % 5 else ("没有空",) for i in range(300)]
    with ThreadPoolExecutor(2) as pool:
        apart = asking(model, "fill-mask", {}, pool.map)(texts)
    plain = asking(model, "fill-mask", {})(texts)
    assert [str(one) for one in apart] == [str(one) for one in plain]


# Of many lengths, some of them twice, some refused.
MIXED = [
    *(
        f"第{i}天{'的天气真好，' * (i % 7)}公园很[MASK]{'，路上人不多' * (i % 5)}。"
        for i in range(24)
    ),
    "没有空",
    DELICATE,
    *COMPANY,
    DELICATE,
]


@pytest.fixture(scope="module")
def one_by_one(
    model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, bytes]]:
    """A file, and its answers when each row is a window and each text is asked alone."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "in.txt").write_text("\n".join(MIXED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        ask = asking(model, "fill-mask", {})
        planned = job(folder / "in.txt", folder / "out.jsonl", task="fill-mask", limits=Limits(1))
        run(planned, locally(lambda inputs: Answering(ask, inputs, room=0)))
        yield folder / "in.txt", (folder / "out.jsonl").read_bytes()


@given(
    rows=st.integers(1, 40),
    characters=st.integers(1, 2000),
    tokens=st.integers(1, 600),
    lanes=st.integers(1, 3),
    room=st.sampled_from([0, 3000, 1 << 20]),
)
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_no_size_changes_a_byte(
    model: Model, one_by_one: tuple[Path, bytes], tmp_path_factory: Any, **sizes: int
) -> None:
    """However large windows and batches are, whatever is remembered and however many lanes compute,
    the output is that of texts asked one by one."""
    source, expected = one_by_one
    out = tmp_path_factory.mktemp("sizes") / "out.jsonl"
    limits = Limits(sizes["rows"], sizes["characters"])
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(sizes["lanes"]) as pool:
        patch.setattr(Model, "batch_tokens", sizes["tokens"])
        ask = asking(model, "fill-mask", {}, pool.map)
        planned = job(source, out, task="fill-mask", limits=limits)
        run(planned, locally(lambda inputs: Answering(ask, inputs, room=sizes["room"])))
    assert out.read_bytes() == expected


def test_it_answers_as_the_model_does(model: Model) -> None:
    """A job's result is the result of the method, as a dictionary."""
    (found,) = asking(model, "zero-shot-classification", {"candidate_labels": "天气,体育"})(
        [("今天天气真好",)]
    )
    assert found == model.zero_shot("今天天气真好", "天气,体育").to_dict()
