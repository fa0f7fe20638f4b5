"""Teaching a head: the regression, its score, what is written, and what it then answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import qingyu
from qingyu import taught
from qingyu.errors import BundleError, InputError
from qingyu.teach import scoring
from qingyu.teach.design import Design, common_grams
from qingyu.teach.regression import fit
from qingyu.teach.teacher import Lesson

ROWS = {
    "退款": ["我要退款", "钱何时退给我", "退款三天了", "退的钱没到", "把钱退回来", "退款多久"],
    "物流": ["快递到哪了", "包裹没送到", "物流不动", "何时发货", "快递员没来", "查一下运单"],
    "发票": ["给我开发票", "抬头写错了", "电子发票呢", "能开专票吗", "报销要发票", "税号怎么填"],
}  # fmt: skip
TEXTS = [text for texts in ROWS.values() for text in texts]
LABELS = [label for label, texts in ROWS.items() for _ in texts]


@pytest.fixture(scope="module")
def model() -> qingyu.Model:
    """The default model."""
    return qingyu.load(threads=1)


@pytest.fixture(scope="module")
def lesson(model: qingyu.Model) -> Lesson:
    """A head of three labels, six rows each."""
    return model.teach(TEXTS, LABELS, name="topics", names=False)


def test_the_regression_is_at_its_least() -> None:
    """At the weights found, the slope that is computed anew by differences is zero, with a prior
    and with weights of rows, on a matrix with sparse columns."""
    rng = np.random.default_rng(0)
    texts = ["天气好", "天气坏", "好人", "坏人"] * 5
    grams, rarity = common_grams(texts)
    design = Design.of(rng.normal(size=(20, 3)), texts, grams, rarity)
    labels = np.arange(20) % 3
    prior = rng.normal(size=(20, 3))
    share = rng.uniform(0.5, 1.5, 20)
    found = fit(design, labels, 3, 0.01, prior, share)

    def loss(weights: np.ndarray, bias: np.ndarray, trust: float) -> float:
        logits = design.times(weights) + bias + trust * prior
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        told = -(share / share.sum()) @ logs[np.arange(20), labels]
        return float(told + 0.005 * ((weights**2).sum() + (trust - 1) ** 2))

    least = loss(found.weights, found.bias, found.trust)
    for _ in range(20):
        step = 1e-2 * rng.normal(size=found.weights.shape)
        assert loss(found.weights + step, found.bias, found.trust) > least
    assert loss(found.weights, found.bias, found.trust + 0.05) > least
    few, back = design.turned()
    again = fit(few, labels, 3, 0.01, prior, share)
    assert np.allclose(back @ again.weights, found.weights, atol=2e-3)


def test_the_score_is_what_its_definition_says() -> None:
    """Accuracy with Wilson's interval, confusions by their number, and calibration."""
    labels = np.array([0] * 8 + [1] * 2)
    chances = np.tile([0.9, 0.1], (10, 1))
    found = scoring.score(["甲", "乙"], labels, chances)
    assert found.accuracy == 0.8
    assert (round(found.low, 3), round(found.high, 3)) == (0.490, 0.943)
    assert [(c.label, c.taken_for, c.rows) for c in found.confusions] == [("乙", "甲", 2)]
    assert found.calibration_error == pytest.approx(0.1)
    assert scoring.bar(np.log(chances), labels) is None


def test_a_text_that_comes_twice_is_in_one_fold() -> None:
    """Otherwise a score would praise a head for knowing its rows by heart."""
    labels = np.repeat([0, 1], 10)
    groups = np.repeat(np.arange(10), 2)
    fold = scoring.folds(labels, groups, 5)
    assert all(fold[2 * i] == fold[2 * i + 1] for i in range(10))
    assert sorted(np.bincount(fold[:10], minlength=5)) == [2] * 5


def test_a_taught_head_answers_like_any_other(model: qingyu.Model, lesson: Lesson) -> None:
    """It knows its rows, gives probabilities of all labels, and says so where it is not sure."""
    results = model.classify(TEXTS, head="topics")
    assert np.mean([r.label == label for r, label in zip(results, LABELS, strict=True)]) > 0.9
    assert set(results[0].labels) == set(ROWS)
    assert sum(results[0].scores) == pytest.approx(1, abs=1e-5)
    assert lesson.score.rows == 18
    assert lesson.score.low <= lesson.score.accuracy <= lesson.score.high
    unsure = model.classify("嗯", head="topics", uncertain=True)
    assert (unsure.label == "不确定") == (unsure.score < (lesson.head.bar or 0.5))
    with pytest.raises(InputError, match="单句"):
        model.classify("甲", "乙", head="topics")


def test_what_is_written_is_read_back(model: qingyu.Model, lesson: Lesson, tmp_path: Path) -> None:
    """The folder answers as the head in memory does; more rows can be added to it; a damaged one
    and one of another model are refused; a folder of another kind is not overwritten."""
    lesson.save(tmp_path / "topics")
    before = model.classify("发票丢了", head="topics")
    assert model.attach(tmp_path / "topics") == "topics"
    assert model.classify("发票丢了", head="topics") == before
    more = model.teach(["换大一号", "尺码不合适"], ["换货", "换货"], name="more", names=False,
                       add_to=tmp_path / "topics")  # fmt: skip
    assert more.score.rows == 20
    assert "换货" in more.head.labels
    assert any("换货" in zh for zh, _ in more.notes)
    more.save(tmp_path / "topics")
    assert len(taught.read(tmp_path / "topics").labels) == 4
    about = tmp_path / "topics" / taught.ABOUT
    values = json.loads(about.read_text("utf-8"))
    about.write_text(json.dumps({**values, "bundle": "another"}), "utf-8")
    with pytest.raises(BundleError, match="另一个模型"):
        model.attach(tmp_path / "topics")
    about.write_text(json.dumps({**values, "labels": ["一"]}), "utf-8")
    with pytest.raises(BundleError, match="已损坏"):
        taught.read(tmp_path / "topics")
    (tmp_path / "mine").mkdir()
    with pytest.raises(BundleError, match="已存在"):
        lesson.save(tmp_path / "mine")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("texts", "labels", "told"),
    [
        (["甲", "乙"], ["一"], "一一对应"),
        (["甲", "乙"], ["一", "一"], "只有一个标签"),
        (["甲", "乙", "丙"], ["一", "一", "二"], "只有一行"),
        (["甲", " "], ["一", "二"], "非空字符串"),
    ],
)
def test_rows_that_cannot_be_learnt_are_told(
    model: qingyu.Model, texts: list[str], labels: list[str], told: str
) -> None:
    """Each with what is wrong, before anything is computed."""
    with pytest.raises(InputError, match=told):
        model.teach(texts, labels)


def test_names_help_where_rows_are_few(model: qingyu.Model) -> None:
    """With two rows a label the names are asked, and kept only where they are worth it."""
    found = model.teach([r for rows in ROWS.values() for r in rows[:2]],
                        [k for k in ROWS for _ in range(2)], name="few")  # fmt: skip
    assert found.head.names in ((), tuple(sorted(ROWS)))
    assert any("太少" in zh for zh, _ in found.notes)
