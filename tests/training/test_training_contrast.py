"""Pairs made by rule: what each rule changes, what it leaves alone, and what recipes split off."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from training import contrast
from training.errors import RecipeError
from training.recipes import FINE_LABELS, gather


@pytest.mark.parametrize(
    ("rule", "text", "changed"),
    [
        ("opposite", "怎么开通花呗", {"怎么取消花呗", "怎么关闭花呗"}),
        ("negated", "我想去", {"我不想去"}),
        ("exchanged", "从北京飞上海", {"从上海飞北京"}),
        ("exchanged", "北京和上海", {None}),  # the order means nothing there
        ("negated", "你能不能来", {None}),
        ("renumbered", "周三开会", {f"周{day}开会" for day in "一二四五六日"}),
    ],
)
def test_a_rule_changes_the_meaning_by_one_word(rule: str, text: str, changed: set[str]) -> None:
    """Each rule changes what it is for, and nothing where the change would mean the same."""
    found = {getattr(contrast, rule)(text, random.Random(seed)) for seed in range(40)}
    assert found == changed


def test_numbers_change_by_a_digit() -> None:
    """A number in digits stays a number of as many digits, and another one."""
    for seed in range(20):
        text = contrast.renumbered("满300减40", random.Random(seed))
        assert text is not None
        assert text != "满300减40"
        assert len(text) == len("满300减40")


def test_pairs_by_rule_are_of_both_labels_and_differ() -> None:
    """Half of the pairs out of frames mean the same, and hardly any pair is one text twice."""
    rng = random.Random(0)
    pairs = [contrast.pair([("怎么开通", "如何开通", 1)], rng) for _ in range(400)]
    assert 0.25 < sum(label for _, _, label in pairs) / len(pairs) < 0.75
    assert sum(a == b for a, b, _ in pairs) < 20


def test_rows_to_tune_on_are_not_trained_on(tmp_path: Path) -> None:
    """A text is on one side only, whatever it is paired with; without rows there is an error."""
    folder = tmp_path / "pair" / "oppo"
    folder.mkdir(parents=True)
    rows = [{"a": f"问题{i % 50}", "b": f"说法{i}", "label": i % 2} for i in range(400)]
    (folder / "train.jsonl").write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8"
    )
    found = gather("similar", tmp_path, 0, 400)
    trained = {row.texts[0] for row in found.train if row.source == "oppo"}
    assert found.tuning
    assert not trained & {row.texts[0] for row in found.tuning if row.source == "oppo"}
    with pytest.raises(RecipeError, match="too few"):
        gather("ner", tmp_path, 0, 400)
    assert len(FINE_LABELS) == 21
