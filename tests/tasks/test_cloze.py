"""Zero-shot in one pass: what is asked about a text, what comes of it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qingyu.errors import InputError, TaskNotSupportedError, TextTooLongError
from qingyu.model import Model
from qingyu.numbers import log_softmax, softmax
from qingyu.tasks.zero_shot import sure

NAME = "zero-shot-classification"
GOAL = "主队在最后一分钟攻入制胜球。"
TEMPLATE = "这段话说的是{}。"
LABELS = ["体育", "财经", "天气", "新能源汽车"]

Tiny = Callable[[str], Model]


def log_probs(model: Model, text: str) -> np.ndarray[Any, Any]:
    """Log-probabilities [masks, vocabulary] at the masks of a text, asked for as they are."""
    ids = model.tokenizer.tokens(text).ids
    places = [i for i, token_id in enumerate(ids) if token_id == model.tokenizer.mask_id]
    return log_softmax(model.run([model.context.query(ids, places, "fill-mask")])[0])


def test_a_text_is_read_once_for_labels_of_one_length(model: Model) -> None:
    """However many labels of one length: two queries, the template with the text and without."""
    labels = ["体育", "财经", "天气", "汽车", "教育", "健康"]
    queries = next(model.steps(NAME, GOAL, labels, method="cloze"))
    assert len(queries) == 2
    tokens, mask = model.tokenizer.tokens(GOAL + "这段话说的是").ids, model.tokenizer.mask_id
    assert queries[1].input_ids.tolist()[1:-2] == [*tokens, mask, mask]
    assert len(next(model.steps(NAME, GOAL, LABELS, method="cloze"))) == 4


def test_scores_are_what_the_text_adds_to_the_template(model: Model) -> None:
    """The softmax of each label's joint log-probability at the masks, less that without the text;
    of several templates the mean."""
    model = model.with_phrases(own=False)  # the formula is of the network's words alone
    found = []
    for template in (TEMPLATE, "主题是{}。"):
        gains = []
        for label in LABELS:
            ids = model.tokenizer.tokens(label).ids
            blank = template.replace("{}", "[MASK]" * len(ids))
            rows = [log_probs(model, text) for text in (GOAL + blank, blank)]
            with_text, without = (row[range(len(ids)), ids].sum() for row in rows)
            gains.append(with_text - without)
        found.append(softmax(np.array(gains, np.float32)))
        alone = model.zero_shot(GOAL, LABELS, method="cloze", hypothesis_template=template)
        by_label = dict(zip(alone.labels, alone.scores, strict=True))
        assert [by_label[one] for one in LABELS] == pytest.approx(found[-1].tolist(), abs=2e-3)
    both = model.zero_shot(
        GOAL, LABELS, method="cloze", hypothesis_template=[TEMPLATE, "主题是{}。"]
    )
    by_label = dict(zip(both.labels, both.scores, strict=True))
    expected = np.mean(found, axis=0).tolist()
    assert [by_label[one] for one in LABELS] == pytest.approx(expected, abs=2e-3)
    assert both.labels[0] == "体育"
    assert sum(both.scores) == pytest.approx(1, abs=1e-5)


def test_order_of_labels(model: Model) -> None:
    """Labels in any order have the very same scores, to the last bit."""
    expected = model.zero_shot(GOAL, LABELS, method="cloze")
    assert model.zero_shot(GOAL, LABELS[::-1], method="cloze") == expected
    assert model.zero_shot(GOAL, [*LABELS[2:], *LABELS[:2]], method="cloze") == expected


def test_descriptions_stand_at_the_masks(model: Model) -> None:
    """A described label is judged by its description and named by its name."""
    plain = model.zero_shot(GOAL, ["足球", "股票"], method="cloze")
    named = model.zero_shot(GOAL, {"甲": "足球", "乙": "股票"}, method="cloze")
    assert plain.scores == named.scores
    assert named.labels == ("甲", "乙")


def test_long_texts_are_read_as_asked_for(tiny: Tiny) -> None:
    """Windows read all of 10,000 characters, "end" names what it left, "error" refuses."""
    model, labels = tiny("bert-masked-lm"), ["天气", "公司"]
    text = "今天天气真好，" * 1500
    whole = model.zero_shot(text, labels, method="cloze")
    assert (whole.truncated, whole.unread) == (False, ())
    end = model.zero_shot(text, labels, method="cloze", truncate="end")
    [(first, last)] = end.unread
    assert last == len(text)
    fits = model.zero_shot(text[:first], labels, method="cloze", truncate="error")
    assert fits.scores == end.scores
    with pytest.raises(TextTooLongError):
        model.zero_shot(text, labels, method="cloze", truncate="error")


@pytest.mark.parametrize(
    ("labels", "parameters"),
    [(["甲"], {}), (["甲", "乙"], {"multi_label": True}), (["甲", "𠮷"], {}), (["甲", "甲"], {}),
     ([], {}), (["甲", "乙"], {"hypothesis_template": "没有空位"}), (["甲", "\u200b"], {}),
     (["甲", "乙"], {"hypothesis_template": "{}和{}"}), (["甲", "很" * 300], {}),
     (["甲", "乙"], {"method": "guess"}), (["甲", "乙"], {"method": None})],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    model: Model, labels: list[str], parameters: dict[str, Any]
) -> None:
    """One label, labels judged alone, words beyond the vocabulary, bad templates: one error."""
    with pytest.raises(InputError) as error:
        model.zero_shot(GOAL, labels, **{"method": "cloze", **parameters})
    assert error.value.zh != error.value.en


def test_the_method_needs_its_head(tiny: Tiny) -> None:
    """A masked language model does it without inference; a classifier of inference does not."""
    result = tiny("bert-masked-lm").zero_shot("今天天气真好。", ["天气", "公司"], method="cloze")
    assert set(result.labels) == {"天气", "公司"}
    with pytest.raises(TaskNotSupportedError):
        tiny("bert-masked-lm").zero_shot("今天天气真好。", ["天气", "公司"])
    with pytest.raises(TaskNotSupportedError):
        tiny("bert-nli").zero_shot("今天天气真好。", ["天气", "公司"], method="cloze")


@pytest.mark.parametrize(
    ("scores", "multi_label", "expected"),
    [
        ([0.9, 0.1], False, True),
        ([0.7, 0.3], False, False),  # of two labels, 0.7 is 2.3 times its chance
        ([0.4] + [0.6 / 13] * 13, False, True),  # of fourteen, 0.4 is 8.7 times
        ([0.55, 0.1], True, True),
        ([0.45, 0.1], True, False),
    ],
)
def test_what_is_sure_depends_on_how_many_labels_there_are(
    scores: list[float], multi_label: bool, expected: bool
) -> None:
    """Labels that are compared need odds some times their chance; one by itself, a half."""
    assert sure(np.array(scores, np.float32), "entailment", multi_label) is expected
