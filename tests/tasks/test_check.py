"""Proofreading: what it asks, how it judges, and what it tells."""

from __future__ import annotations

import numpy as np
import pytest

from qingyu import bundle
from qingyu.bundle import HeadInfo
from qingyu.errors import EmptyTextError, InputError
from qingyu.model import Model
from qingyu.numbers import FloatArray
from qingyu.query import Query
from qingyu.results import CheckResult
from qingyu.tasks import registry
from qingyu.tasks.check import kept_places, script_of, sounds_and_shapes
from qingyu.tasks.context import Context
from qingyu.tasks.drive import complete
from qingyu.tasks.parts.punctuation import check as check_punctuation
from qingyu.text.tokenizer import Tokenizer

HEADS = {
    "fill-mask": HeadInfo("", "masked-lm"),
    "detect": HeadInfo("", "detection", ("wrong",)),
    "correct": HeadInfo("", "correction"),
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(bundle.find(bundle.DEFAULT) / bundle.TOKENIZER)


class Reader:
    """A model with a correction head that takes each character of `wrong` for a mistake and knows
    what was meant: a character, or a special token for one too many or one too few."""

    def __init__(self, tokenizer: Tokenizer, wrong: dict[str, str]) -> None:
        self.context = Context("made-up", tokenizer, HEADS, 128)
        self.asked: list[Query] = []
        self._ids = {self._id(a): self._id(b) for a, b in wrong.items()}

    def _id(self, token: str) -> int:
        found = self.context.tokenizer.token_to_id(token)
        assert found is not None
        return found

    def __call__(self, text: str, **parameters: object) -> CheckResult:
        steps = registry.CHECK.begin(self.context, text, **parameters)  # type: ignore[arg-type]
        [result] = complete([steps], lambda queries: [self.answer(query) for query in queries])
        return result

    def answer(self, query: Query) -> FloatArray:
        self.asked.append(query)
        here = query.input_ids[query.positions].tolist()
        if query.head == "detect":
            return np.array([[8.0 if one in self._ids else -8.0] for one in here], np.float32)
        rows = np.zeros((len(here), self.context.tokenizer.vocab_size), np.float32)
        for row, one in zip(rows, here, strict=True):
            if query.head == "correct":
                row[self._ids[one]] = 20
            else:
                row[list(self._ids.values())] = 20
        return rows


def test_a_mistake_is_mended_with_its_reason(tokenizer: Tokenizer) -> None:
    """What sounds the same is put in, and told with reason, confidence and place."""
    reader = Reader(tokenizer, {"汽": "气"})
    result = reader("🙂今天天汽真好。")
    [one] = result.suspects
    assert result.corrected == "🙂今天天气真好。"
    assert (one.text, one.start, one.end, one.reason) == ("汽", 4, 5, "同音")
    assert one.changed
    assert one.confidence > 0.5 > one.score
    assert one.candidates[0].sequence == result.corrected


@pytest.mark.parametrize(
    ("text", "wrong", "reason"),
    [
        ("他跑的快。", {"的": "得"}, "的地得"),
        ("本末倒置。", {"末": "未"}, "形近"),
        ("他是老师。", {"是": "四"}, "近音"),
    ],
)
def test_reasons(tokenizer: Tokenizer, text: str, wrong: dict[str, str], reason: str) -> None:
    """The reason is how the two characters are confused."""
    [one] = Reader(tokenizer, wrong)(text).suspects
    assert one.reason == reason


def test_one_pass_where_nothing_is_wrong(tokenizer: Tokenizer) -> None:
    """A correct text costs one query a piece of it, however long it is."""
    reader = Reader(tokenizer, {"汽": "气"})
    text = "今天天气真好，我们去公园玩吧。" * 40
    result = reader(text)
    assert (result.corrected, result.suspects) == (text, ())
    assert {query.head for query in reader.asked} == {"detect"}
    assert sum(len(query.positions) for query in reader.asked) == 13 * 40


def test_below_the_threshold_is_a_hint(tokenizer: Tokenizer) -> None:
    """A suspect that is not sure enough is told and left as it stands."""
    reader = Reader(tokenizer, {"汽": "气"})
    result = reader("天汽好。", threshold=1.0)
    assert result.corrected == "天汽好。"
    assert [(one.text, one.changed) for one in result.suspects] == [("汽", False)]


def test_words_to_keep_are_not_suspected(tokenizer: Tokenizer) -> None:
    """A word of one's own is never touched; the same character elsewhere is."""
    result = Reader(tokenizer, {"汽": "气"})("天汽公司说天汽好。", keep=["天汽公司"])
    assert result.corrected == "天汽公司说天气好。"
    assert kept_places("天天天", ["天天"]) == {0, 1, 2}


def test_one_too_many_and_one_too_few(tokenizer: Tokenizer) -> None:
    """A doubled character goes, a missing one comes, each told with its neighbour."""
    twice = Reader(tokenizer, {"了": "[PAD]"})("我来啊了。")
    assert [(one.reason, one.text) for one in twice.suspects] == [("重复", "啊了")]
    assert twice.suspects[0].candidates[0].token == "啊"
    reader = Reader(tokenizer, {"兴": "[MASK]", "高": "高"})
    missing = reader("我很兴。")
    told = {one.reason: one for one in missing.suspects}["缺字"]
    assert (told.text, told.candidates[0].token) == ("兴", "高兴")


def test_traditional_text_is_judged_and_left_alone(tokenizer: Tokenizer) -> None:
    """Its simplified form is judged; candidates are traditional, and nothing is changed."""
    text = "這裡的風景非常漂亮，天汽很好。"
    result = Reader(tokenizer, {"汽": "气"})(text)
    assert (result.script, result.corrected) == ("traditional", text)
    [one] = result.suspects
    assert (one.text, one.candidates[0].token, one.changed) == ("汽", "氣", False)
    assert script_of("天气后来很好。", sounds_and_shapes()) == "simplified"


def test_bad_parameters_are_told(model: Model) -> None:
    """A threshold is a probability, words to keep are words, and a text has something in it."""
    for threshold in (0, -1, 1.5, True, "high", float("nan")):
        with pytest.raises(InputError, match="threshold"):
            model.check("好", threshold=threshold)
    with pytest.raises(InputError, match="keep"):
        model.check("好", keep=[" "])
    with pytest.raises(EmptyTextError):
        model.check("  \n")


def test_the_default_model_mends_everyday_mistakes(model: Model) -> None:
    """Wrong characters are found with what was meant; a clean sentence is left alone."""
    result = model.check("🙂今天天汽真好，我们去公圆玩吧。")
    assert result.corrected == "🙂今天天气真好，我们去公园玩吧。"
    clean = model.check("他因为感冒，所以今天没有来上课。")
    assert clean.corrected == clean.text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("好,我去。", [(",", "，")]),
        ("价格是3,000元，在1:30前到。", []),
        ("好。。我去，，你呢？", [("。。", "。"), ("，，", "，")]),
        ("等等……好。", []),
        ("他(小明)来了。", [("(小明)", "（小明）")]),
        ("他说：“好。", [("“", "")]),
        ("“第一段。\n“第二段。”", []),
        ("见 README.md，谢谢.", [(".", "。")]),
    ],
)
def test_punctuation(text: str, found: list[tuple[str, str]]) -> None:
    """Half width beside Chinese, doubled marks and lonely quotes, and not numbers or names."""
    told = check_punctuation(text)
    assert [(s.text, s.candidates[0].token if s.candidates else "") for s in told] == found
    assert all(s.changed == bool(s.candidates) for s in told)
