"""Labelled sets and users' CSV files to examples of the heads."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from training.errors import RecipeError
from training.labelled import (
    HEADS,
    Example,
    Examples,
    bio,
    example,
    feeling_pair,
    read_csv,
    read_sets,
    read_texts,
    topic_pair,
)

ROWS: dict[str, list[dict[str, Any]]] = {
    "nli/a": [{"premise": "下雨了", "hypothesis": "天气好", "label": "contradiction"}],
    "pair/b": [{"a": "你好", "b": "您好", "label": 1}, {"a": "猫", "b": "一只猫", "score": 4.5}],
    "sentiment/c": [{"text": "好吃", "label": "正面"}, {"text": "难吃", "label": "负面"}],
    "ner/d": [{"text": list("王明在京"), "tags": ["B-name", "I-name", "O", "B-address"]}],
    "cls/e": [{"text": "球赛开始了", "label": "体育"}, {"text": "股市涨了", "label": "财经"}],
    "intent/f": [{"text": "放首歌", "label": "music"}],
}


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    for name, rows in ROWS.items():
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for split in ("train", "dev"):
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def test_sets_are_read_by_split(labelled: Path) -> None:
    """Only the split asked for is read, and only tasks that a head can learn from."""
    (labelled / "nli/a/dev.jsonl").unlink()
    assert [(s.task, s.name) for s in read_sets(labelled, "dev")] == [
        ("cls", "e"), ("ner", "d"), ("pair", "b"), ("sentiment", "c"),
    ]  # fmt: skip
    assert "nli" in {s.task for s in read_sets(labelled, "train")}
    with pytest.raises(RecipeError, match="no <task>"):
        read_sets(labelled / "nli", "train")


def test_rows_become_examples_with_the_right_label() -> None:
    """Each task's row gives the index of its label in the head's own order."""
    assert example("nli", ROWS["nli/a"][0]) == Example("nli", "下雨了", "天气好", 2)
    assert example("pair", ROWS["pair/b"][0]) == Example("similar", "你好", "您好", 1)
    assert example("pair", ROWS["pair/b"][1]) == Example("similar", "猫", "一只猫", 1)
    assert example("pair", {"a": "猫", "b": "狗", "score": 0.5}) == Example(
        "similar", "猫", "狗", 0
    )
    assert example("pair", {"a": "猫", "b": "狗", "score": 3.0}) is None
    assert example("sentiment", ROWS["sentiment/c"][1]) == Example("sentiment", "难吃", None, 0)
    assert example("ner", ROWS["ner/d"][0]) == Example("ner", tuple("王明在京"), None, (1, 2, 0, 3))


def test_unknown_entity_types_count_as_outside() -> None:
    """Games and books are no entities to a head that knows three types."""
    names = HEADS["ner"][0]
    tags = ["B-game", "I-game", "B-scene", "I-company", "B-PER"]
    assert [names[i] for i in bio(tags, names)] == ["O", "O", "B-LOC", "I-ORG", "B-PER"]


def test_topic_pairs_tell_the_truth() -> None:
    """Entailment names the text's own topic, contradiction another one, and both occur."""
    seen = set()
    for seed in range(50):
        pair = topic_pair("球赛开始了", "体育", ["体育", "财经"], random.Random(seed))
        assert pair.second is not None
        assert ("体育" in pair.second) == (pair.label == 0)
        seen.add(pair.label)
    assert seen == {0, 2}


def test_feeling_pairs_tell_the_truth() -> None:
    """A hypothesis with the review's own feeling follows, one with the opposite contradicts."""
    for seed in range(50):
        pair = feeling_pair("好吃", "正面", random.Random(seed))
        assert pair.second is not None
        said = any(word in pair.second for word in ("正面", "积极", "满意"))
        assert pair.label == (0 if said else 2)


def test_supplies_are_endless_and_repeatable(labelled: Path) -> None:
    """Every head with data has examples without end, in an order the seed fixes."""
    sets = read_sets(labelled, "train")
    assert Examples(sets, 0).heads() == ["ner", "nli", "sentiment", "similar"]
    for head in HEADS:
        drawn = [
            [next(supply) for _ in range(30)]
            for supply in (Examples(sets, 7).draw(head), Examples(sets, 7).draw(head))
        ]
        assert drawn[0] == drawn[1]
        assert {item.head for item in drawn[0]} == {head}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_is_read_with_or_without_pairs(tmp_path: Path) -> None:
    """Labels are numbered in sorted order, or in the order of a head that is there already."""
    path = write(tmp_path / "my.csv", "text,text2,label\n你好,您好,同\n猫,狗,异\n")
    examples, names = read_csv(path)
    assert names == ("同", "异")
    assert examples[1] == Example("task", "猫", "狗", 1)
    assert read_csv(path, ("异", "同"))[0][1].label == 0
    path = write(tmp_path / "bom.csv", "\ufefftext,label\n好,a\n坏,b\n")
    assert read_csv(path)[0][0] == Example("task", "好", None, 0)
    assert [item.first for item in read_texts(path)] == ["好", "坏"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text,class\n好,a\n", "needs the columns"),
        ("", "needs the columns"),
        ("text,label\n好,a\n,b\n", "line 3"),
        ("text,label\n好,a\n坏,a\n", "two are the least"),
    ],
)
def test_a_csv_that_cannot_be_learnt_from_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    """The error names the file, the line where there is one, and what is wrong."""
    path = write(tmp_path / "my.csv", text)
    with pytest.raises(RecipeError, match=message):
        read_csv(path)


def test_a_label_unknown_to_the_head_is_refused(tmp_path: Path) -> None:
    """Going on with an old head, a new label is a mistake, not a silent extra class."""
    path = write(tmp_path / "my.csv", "text,label\n好,a\n坏,c\n")
    with pytest.raises(RecipeError, match="must be one of a, b"):
        read_csv(path, ("a", "b"))


def test_a_csv_of_test_rows_is_refused(tmp_path: Path) -> None:
    """The names that hold out text hold out tables too."""
    path = write(tmp_path / "test.csv", "text,label\n好,a\n坏,b\n")
    with pytest.raises(RecipeError, match="never trained on"):
        read_csv(path)
