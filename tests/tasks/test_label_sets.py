"""Labels for each of several texts: told from labels with descriptions, the same everywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qingyu.cli import run
from qingyu.errors import InputError
from qingyu.model import Model, ZeroShotClassifier
from qingyu.tasks.costs import zero_shot as cost
from qingyu.tasks.zero_shot import described_labels, label_sets
from qingyu.web.api.validation import parse
from qingyu.web.api.wire import ZeroShotRequest

TEXTS = ["主队在最后一分钟攻入制胜球。", "明天上午有小雨。"]
SETS = [["体育", "财经"], ["天气", "体育"]]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (SETS, SETS),
        ([{"体育": "球赛"}, ["天气"]], [{"体育": "球赛"}, ["天气"]]),
        (["体育", "财经"], [["体育", "财经"]] * 2),
        ("体育、财经", ["体育、财经"] * 2),
        ([("体育", "球赛"), ("财经", "股票")], [[("体育", "球赛"), ("财经", "股票")]] * 2),
        ({"体育": "球赛"}, [{"体育": "球赛"}] * 2),
    ],
)
def test_sets_are_told_from_one_set(labels: Any, expected: list[Any]) -> None:
    """Two lists of two strings are a set for each text; pairs are tuples or a mapping."""
    assert label_sets(labels, 2) == expected


def test_each_text_has_its_own(model: Model) -> None:
    """Python's method and class, and a request over HTTP, answer as text by text does."""
    alone = [model.zero_shot(text, labels) for text, labels in zip(TEXTS, SETS, strict=True)]
    assert [one.label for one in alone] == ["体育", "天气"]
    assert model.zero_shot(TEXTS, SETS) == alone
    assert model.zero_shot(TEXTS, candidate_labels=SETS) == alone
    assert ZeroShotClassifier(model).predict(TEXTS, SETS) == alone
    asked = json.dumps({"text": TEXTS, "candidate_labels": SETS}).encode()
    calls = parse(ZeroShotRequest, asked).calls()
    assert [call.inputs for call in calls] == [
        (text, tuple(labels)) for text, labels in zip(TEXTS, SETS, strict=True)
    ]


@pytest.mark.parametrize("sets", [[["体育", "财经"]], [*SETS, ["科技"]]])
def test_as_many_sets_as_texts(model: Model, sets: list[list[str]]) -> None:
    """More or fewer sets than texts are an error wherever they come from."""
    with pytest.raises(InputError, match="one each, or one"):
        model.zero_shot(TEXTS, sets)
    with pytest.raises(InputError, match="one each, or one"):
        ZeroShotRequest(text=TEXTS, candidate_labels=sets).calls()


def test_sets_for_a_text_alone() -> None:
    """For one text, lists of two strings are no descriptions: that is said, not guessed."""
    with pytest.raises(InputError, match="mapping"):
        described_labels(SETS)


def test_on_the_command_line(capsys: pytest.CaptureFixture[str], model: Model) -> None:
    """--labels once for each text; otherwise it is told how many there are."""
    labels = ["-l", "、".join(SETS[0]), "-l", "/".join(SETS[1])]
    assert run(["zero-shot", *labels, *TEXTS, "--json"]) == 0
    found = [json.loads(line)["labels"] for line in capsys.readouterr().out.splitlines()]
    assert found == [list(one.labels) for one in model.zero_shot(TEXTS, SETS)]
    assert run(["zero-shot", *labels, TEXTS[0]]) == 2
    assert "one each, or one" in capsys.readouterr().err
    assert run(["zero-shot", *labels, TEXTS[0], TEXTS[0]]) == 2
    assert "differ" in capsys.readouterr().err


@pytest.mark.parametrize("mark", [",", "，", "、", "；", "/", "\n"])
def test_labels_are_counted_as_they_are_read(model: Model, mark: str) -> None:
    """Whatever stands between labels, a request costs what its labels cost."""
    labels = [f"标签{number}" for number in range(50)]
    asked = cost(model.context, TEXTS[0], mark.join(labels))
    assert asked == cost(model.context, TEXTS[0], labels)
    with pytest.raises(InputError, match="at most"):
        ZeroShotRequest(text="好", candidate_labels=mark.join(labels * 5)).calls()
