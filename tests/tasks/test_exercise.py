"""Exercises: what is blanked, which wrong answers are offered, and that the key is right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import qingyu
from qingyu.errors import EmptyTextError, InputError
from qingyu.results import ExerciseResult
from qingyu.tasks.exercises import lists
from qingyu.tasks.exercises.places import places

TEXT = "家门口有一棵大树，树下有一匹马。他虽然很累，但是没有半途而废。"


@pytest.fixture(scope="module")
def model() -> Iterator[qingyu.Model]:
    with qingyu.load() as loaded:
        yield loaded


def words(text: str, *kinds: str, own: tuple[str, ...] = ()) -> list[str]:
    """What may be blanked."""
    return [text[one.start : one.end] for one in places(text, kinds, own)]


def test_what_may_be_blanked() -> None:
    """Measure words behind numbers, conjunctions whole, idioms, one's own; apart."""
    assert words(TEXT, "measures") == ["棵", "匹"]
    assert words(TEXT, "conjunctions") == ["虽然", "但是"]
    assert words(TEXT, "idioms") == ["半途而废"]
    assert words("一本一心一意的书", "measures", "idioms") == ["本", "一心一意"]
    assert words("大树下有大树根", "words", own=("大树", "大树根")) == ["大树", "大树根"]
    assert words("守株待兔，好。", "characters") == list("守株待兔")
    assert words("本来没有张力", "measures") == []


def test_the_lists_are_lists() -> None:
    """No word twice, idioms of four characters, measure words of one."""
    for listed, length in ((lists.IDIOMS, 4), (lists.MEASURES, 1), (lists.CONJUNCTIONS, None)):
        found = lists.word_list(listed).words
        assert len(set(found)) == len(found)
        assert length is None or {len(word) for word in found} == {length}


def whole(result: ExerciseResult) -> str:
    """The text again, from the blanks and the key."""
    text = result.blanked
    for one in result.items:
        text = text.replace(f"（{one.number}）____", one.answer)
    return text


def test_an_exercise(model: qingyu.Model) -> None:
    """One blank a sentence, numbered; the key restores the text, and the answer is a choice."""
    result = model.exercise(TEXT)
    assert whole(result) == TEXT
    assert [one.number for one in result.items] == [1, 2]
    for one in result.items:
        assert TEXT[one.start : one.end] == one.answer
        assert len(set(one.choices)) == 4
        assert one.answer in one.choices
    assert result == model.exercise(TEXT)


@pytest.mark.parametrize(
    ("text", "answer", "never"),
    [
        ("家门口有一棵大树。", "棵", {"株"}),
        ("他骑着一匹马。", "匹", {"头", "只"}),
        ("他很累，但是他还在工作。", "但是", {"但", "可是", "不过", "然而"}),
    ],
)
def test_wrong_answers_are_wrong(
    model: qingyu.Model, text: str, answer: str, never: set[str]
) -> None:
    """What means the same is not offered, and the model finds each far less likely."""
    (one,) = model.exercise(text, choices=4).items
    assert one.answer == answer
    assert not never & set(one.choices)
    place = text[: one.start] + "[MASK]" + text[one.end :]
    (mask,) = model.fill_mask(place, targets=one.choices).masks
    scores = {each.token: each.score for each in mask.candidates}
    assert scores[answer] == pytest.approx(one.probability, rel=0.01)
    assert all(30 * scores[word] <= scores[answer] * 1.01 for word in scores if word != answer)


def test_idioms_and_verses(model: qingyu.Model) -> None:
    """A character of each line, as the model knows it."""
    text = "亡羊补牢\n举头望明月，低头思故乡。\n画龙点睛"
    result = model.exercise(text, kinds=["characters"])
    assert whole(result) == text
    assert len(result.items) == 3
    assert all(len(one.answer) == 1 for one in result.items)


def test_words_of_ones_own(model: qingyu.Model) -> None:
    """They are blanked, and offered for each other."""
    own = ["苹果", "医院", "火车"]
    (one,) = model.exercise("医生在医院里上班。", kinds=[], words=own, choices=2).items
    assert (one.kind, one.answer) == ("words", "医院")
    assert set(one.choices) < set(own)


def test_difficulty_and_number(model: qingyu.Model) -> None:
    """Easy blanks are probable, no more than wanted, no choices unless wanted."""
    easy = model.exercise(TEXT, difficulty="easy", kinds=["measures"]).items
    assert easy
    assert all(one.probability >= 0.5 for one in easy)
    assert not model.exercise(TEXT, difficulty="hard", kinds=["measures"]).items
    assert len(model.exercise(TEXT, blanks=1).items) == 1
    assert all(one.choices == () for one in model.exercise(TEXT, choices=1).items)


def test_nothing_to_blank(model: qingyu.Model) -> None:
    """A text without such words stays as it is."""
    result = model.exercise("天气很好。")
    assert (result.blanked, result.items) == ("天气很好。", ())


@pytest.mark.parametrize(
    "given",
    [
        {"kinds": ["verbs"]}, {"kinds": ["words"]}, {"blanks": 0}, {"choices": 9},
        {"difficulty": "odd"}, {"words": [""]},
    ],
)  # fmt: skip
def test_what_cannot_be_asked(model: qingyu.Model, given: dict[str, object]) -> None:
    """One clear error each."""
    with pytest.raises(InputError):
        model.exercise(TEXT, **given)
    with pytest.raises(EmptyTextError):
        model.exercise(" ")


def test_a_text_with_masks_of_its_own(model: qingyu.Model) -> None:
    """What looks like a mask is text here."""
    result = model.exercise("门口有一棵大树，[MASK]。")
    assert [one.answer for one in result.items] == ["棵"]
