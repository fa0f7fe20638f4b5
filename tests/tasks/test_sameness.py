"""Evidence beside the pair head: where it counts, and where the head is left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qingyu import bundle
from qingyu.bundle import HeadInfo
from qingyu.tasks import registry
from qingyu.tasks.context import Context
from qingyu.tasks.parts import sameness
from qingyu.text.tokenizer import Tokenizer
from tests.tasks.test_tasks import SEQUENCE, a_context, drive

APART, ALIKE = "不相似", "相似"


@pytest.fixture(scope="module")
def context() -> Context:
    tokenizer = Tokenizer(bundle.find(bundle.DEFAULT) / bundle.TOKENIZER)
    return a_context(tokenizer, {"pair": HeadInfo("", SEQUENCE, (APART, ALIKE), evidence=True)})


def judged(context: Context, one: str, other: str, log_odds: float) -> Any:
    steps = registry.SIMILARITY.begin(context, one, other)
    return drive(steps, lambda _: [[0.0, log_odds]])[0]


def test_an_open_contrast_outweighs_the_head(context: Context) -> None:
    """A head that is fairly sure is corrected by a denial; label and score agree."""
    found = judged(context, "你可以退款", "你不可以退款", 1.5)
    assert found.label == APART
    assert found.score < 0.5


def test_other_words_for_one_thing_outweigh_the_head(context: Context) -> None:
    """A head that doubts a passive is corrected."""
    assert judged(context, "小猫被小狗咬了", "小狗咬了小猫", -0.5).label == ALIKE


def test_a_head_without_the_mark_answers_alone(context: Context) -> None:
    """Without `evidence` in the manifest the score is the softmax of the logits."""
    plain = replace(context, heads={"pair": replace(context.heads["pair"], evidence=False)})
    assert judged(plain, "你可以退款", "你不可以退款", 0.0).score == pytest.approx(0.5)


def test_ranking_is_judged_in_the_same_way(context: Context) -> None:
    """Of two texts that the head likes equally, the one that denies the query comes last."""
    texts = ["这里不可以停车", "这里能停车吗"]
    steps = registry.RANKING.begin(context, "这里可以停车吗", texts)
    result, _ = drive(steps, lambda _: [[0.0, 1.0]])
    assert [one.index for one in result.ranking] == [1, 0]


@pytest.mark.parametrize("log_odds", [-3.0, 0.2, 3.0])
def test_a_long_text_is_left_to_the_head(log_odds: float) -> None:
    """Beyond FARTHEST characters nothing but the head counts, and the side it takes stays."""
    text = "这是一段很长的话" * 20
    found = sameness.same(text, text + "不对", log_odds)
    assert (found > 0.5) == (log_odds > 0)


def test_evidence_does_not_depend_on_the_order() -> None:
    """Two texts have the same evidence whichever stands first."""
    one, other = "从杭州到苏州的三张票", "苏州到杭州3张车票"
    assert sameness.evidence(one, other, 0.3) == sameness.evidence(other, one, 0.3)
    assert len(sameness.evidence(one, other, 0.3)) == len(sameness.EVIDENCE)
