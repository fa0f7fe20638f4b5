"""The cloze list itself, and the measures of training.evaluate."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from qingyu import bundle
from training.errors import RecipeError
from training.evaluate import (
    GROUPS,
    Cloze,
    cloze_scores,
    mask_one,
    masked_accuracy,
    ner_scores,
    read_cloze,
    set_scores,
)
from training.labelled import HEADS, Dataset
from training.subjects import open_subject
from training.templates import FACTS

ITEMS = read_cloze()
FACT_LINES = (Path(__file__).parents[2] / "training" / "facts.tsv").read_text(encoding="utf-8")


def only_words(text: str) -> str:
    return re.sub(r"\W", "", text)


def test_the_cloze_list_has_its_groups() -> None:
    """At least 30 items a group and 600 in all, none twice, and half of each kept apart."""
    assert tuple(dict.fromkeys(item.group for item in ITEMS)) == GROUPS
    assert min(Counter(item.group for item in ITEMS).values()) >= 30
    assert len(ITEMS) >= 600
    texts = [item.text for item in ITEMS]
    assert len(texts) == len(set(texts))
    for group in GROUPS:
        halves = Counter(item.half for item in ITEMS if item.group == group)
        assert min(halves["kept"], halves["tuning"]) >= 12, group


@pytest.mark.parametrize("group", GROUPS)
def test_each_item_asks_for_as_many_characters_as_it_has_masks(group: str) -> None:
    """One hanzi (or digit), or two side by side, with words around them."""
    masks = 2 if group == "two" else 1
    for item in ITEMS:
        if item.group == group:
            assert item.text.count("[MASK]") == masks, item
            assert all(len(a) == masks and a.isalnum() for a in item.answers), item
            assert len(set(item.answers)) == len(item.answers), item
            shown = only_words(item.text.replace("[MASK]", "字"))
            assert len(shown) >= 4, item


def test_every_answer_is_a_token_of_the_default_model() -> None:
    """The embedded model could give every answer: each character is a token of its vocabulary."""
    path = bundle.find(bundle.DEFAULT) / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    characters = {char for item in ITEMS for answer in item.answers for char in answer}
    assert [char for char in characters if tokenizer.token_to_id(char) is None] == []
    for item in ITEMS:
        assert tokenizer.encode(item.text).tokens.count("[MASK]") == item.text.count("[MASK]")


def test_no_fact_that_is_trained_on_gives_an_item_away() -> None:
    """No sentence made from facts.tsv is a cloze sentence of the groups that test understanding."""
    asked = [
        only_words(item.text.replace("[MASK]", answer))
        for item in ITEMS
        if item.group in ("common", "everyday")
        for answer in item.answers
    ]
    for line in FACT_LINES.splitlines()[1:]:
        relation, about, answer = line.split("\t")
        for template in FACTS[relation]:
            said = only_words(template.replace("{a}", about).replace("{b}", answer))
            assert not any(said == other or (len(said) > 5 and said in other) for other in asked), (
                said
            )


class Oracle:
    """A subject that answers what it was told to, to test the measures themselves."""

    heads = ("sentiment", "similar", "nli", "ner")
    places = 512.0
    joint = False

    def __init__(self, tokens: Sequence[Sequence[str]] = (), labels: Sequence[str] = ()) -> None:
        self.tokens, self.labels = [list(t) for t in tokens], list(labels)

    def fill(self, texts: Sequence[str], k: int) -> list[list[str]]:
        return [tokens[:k] for tokens in self.tokens]

    def classify(self, texts: Sequence[str]) -> list[str]:
        return self.labels

    def pairs(self, head: str, first: Sequence[str], second: Sequence[str]) -> list[str]:
        return self.labels

    def zero_shot(self, texts: Sequence[str], labels: Sequence[str]) -> list[str]:
        return self.labels

    def tags(self, texts: Sequence[Sequence[str]]) -> list[list[str]]:
        return self.tokens


def test_cloze_scores_count_any_right_answer() -> None:
    """Top-1 counts the first token, top-5 any of five; each group is scored alone."""
    items = [
        Cloze("a", "x[MASK]", ("甲", "乙")),
        Cloze("a", "y[MASK]", ("丙",)),
        Cloze("b", "z[MASK]", ("丁",)),
    ]
    subject = Oracle(
        [["乙", "甲"], ["一", "二", "三", "四", "丙"], ["一", "二", "三", "四", "五", "丁"]]
    )
    assert cloze_scores(subject, items) == {
        "a": {"n": 2, "top1": 0.5, "top5": 1.0},
        "b": {"n": 1, "top1": 0.0, "top5": 0.0},
    }


def test_masked_accuracy_asks_the_same_each_time(vocabulary: Path) -> None:
    """The seed fixes which tokens are hidden, and a right answer at one of two masks is a half."""
    tokenizer = Tokenizer.from_file(str(vocabulary / "tokenizer.json"))
    asked: list[list[str]] = []

    class Remembers(Oracle):
        def fill(self, texts: Sequence[str], k: int) -> list[list[str]]:
            asked.append(list(texts))
            return [["春"], ["？"]]

    lines = ["春春春春春", "明月明月明月"]
    scores = [masked_accuracy(Remembers(), tokenizer, lines, 2, 3) for _ in range(2)]
    assert scores[0] == scores[1] == {"n": 2, "top1": 0.5, "top5": 0.5}
    assert asked[0] == asked[1]
    assert all(text.count("[MASK]") == 1 and len(text) in (10, 11) for text in asked[0])


def test_the_masked_token_stands_where_it_is_asked_for(vocabulary: Path) -> None:
    """Far into a text means between the positions given; a text that ends before has none."""
    tokenizer = Tokenizer.from_file(str(vocabulary / "tokenizer.json"))
    lines = ["春" * 40] * 6 + ["春" * 20]
    texts, answers = mask_one(lines, tokenizer, 7, 0, range(20, 30))
    assert answers == ["春"] * 6
    assert all(20 <= text.index("[MASK]") < 30 for text in texts)
    assert {len(text) for text in texts} == {29 + len("[MASK]")}  # cut after the last position


def test_ner_scores_count_entities_and_tokens() -> None:
    """One of two entities is found exactly; three of four tokens are told, and rightly."""
    rows = [{"text": list("甲乙丙丁"), "tags": ["B-PER", "I-PER", "B-LOC", "I-LOC"]}]
    scores = ner_scores(Oracle([["B-PER", "I-PER", "B-LOC", "O"]]), rows)
    assert scores["entity_f1"] == 0.5
    assert scores["token_f1"] == pytest.approx(6 / 7)


def test_set_scores_compare_with_the_rows() -> None:
    """Accuracy is the share of rows whose label is told, whatever the task."""
    rows = [{"text": "好", "label": "正面"}, {"text": "坏", "label": "负面"}]
    told = Oracle(labels=["正面", "正面"])
    assert set_scores(told, Dataset("sentiment", "x", rows), 10) == {"n": 2, "accuracy": 0.5}
    assert set_scores(told, Dataset("cls", "x", rows), 10) == {"n": 2, "zero_shot_accuracy": 0.5}
    pairs = [{"a": "甲", "b": "乙", "label": 1}]
    told = Oracle(labels=["相似"])
    assert set_scores(told, Dataset("pair", "x", pairs), 10) == {"n": 1, "accuracy": 1.0}


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """What is neither a bundle nor a checkpoint gives one clear error."""
    with pytest.raises(RecipeError, match="neither a bundle nor a checkpoint"):
        open_subject(tmp_path)


def test_the_embedded_bundle_is_measured_through_the_public_api() -> None:
    """A bundle answers all five questions; what it says of plain cases is right."""
    subject, _ = open_subject(bundle.find(bundle.DEFAULT))
    assert subject.fill(["中国的首[MASK]是北京。"], 5)[0][0] == "都"
    assert subject.classify(["太好吃了，下次还来！", "太难吃了，再也不来了。"]) == ["正面", "负面"]
    assert subject.pairs("similar", ["怎么开发票"], ["发票怎么开"]) == ["相似"]
    assert subject.pairs("nli", ["一个男人在公园里遛狗。"], ["有人在户外。"])[0] in HEADS["nli"][0]
    assert subject.zero_shot(["球队昨晚赢了比赛"], ["体育", "烹饪"]) == ["体育"]
    tags = subject.tags([list("张三在北京上班")])[0]
    assert tags[3:5] == ["B-LOC", "I-LOC"]
