"""Whatever text is sent: a right answer or one clear error, and the same in any company."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.errors import EmptyTextError, InputError, TextTooLongError
from qingyu.model import Model, ZeroShotClassifier
from qingyu.results import Result

Tiny: TypeAlias = Callable[[str], Model]

# Emoji and their sequences, right to left, marks that combine, zero width, controls, NUL, letters
# of other widths, special tokens typed by hand, and plain Chinese.
PIECES = [
    "🙂", "👨\u200d👩\u200d👧", "🇨🇳", "𠮷", "שלום", "\u202eabc\u202c", "e\u0301", "ế", "\u200b",
    "\u200d", "\ufeff", "\u00ad", "\x00", "\x07", "\r\n", "\t", "\u3000", "\u2028", "２０２４",
    "ｗｉｆｉ", "㍿", "ﬁ", "İ", "ß", "[SEP]", "[CLS]", "[PAD]", "[UNK]", "##好", "（）", "【】",
    "今天", "天气好", "Python3", "，", "a", " ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), min_size=1, max_size=8).map("".join)


def _each(text: str | list[str], ask: Callable[[str], Any]) -> Any:
    """`ask` about one text, or about each of a list."""
    return ask(text) if isinstance(text, str) else [ask(one) for one in text]


# Every task: the tiny checkpoint that does it, and its further inputs.
ASK: dict[str, tuple[str, Callable[[Model, Any], Any]]] = {
    "score": ("bert-masked-lm", lambda m, text: m.score(text)),
    "check": ("bert-masked-lm", lambda m, text: m.check(text)),
    "embed": ("bert-masked-lm", lambda m, text: m.embed(text)),
    "zero-shot": ("bert-nli", lambda m, text: m.zero_shot(text, ["体育", "财经", "天气"])),
    "cloze": (
        "bert-masked-lm",
        lambda m, text: m.zero_shot(text, ["天气", "公司", "北京大学"], method="cloze"),
    ),
    "classify": ("bert-sentiment", lambda m, text: m.classify(text)),
    "rank": (
        "bert-sentiment",
        lambda m, text: m.rank(text, ["今天", "天气"], head="classification"),
    ),
    "pair": ("bert-sentiment", lambda m, text: _each(text, lambda one: m.classify(one, "今天"))),
    "similar": (
        "bert-sentiment",
        lambda m, text: _each(text, lambda one: m.similarity(one, "今", head="classification")),
    ),
    "tokens": ("bert-ner", lambda m, text: m.token_classification(text)),
    "words": (
        "bert-ner",
        lambda m, text: m.token_classification(text, aggregation_strategy="average"),
    ),
    "scheme": (
        "bert-ner",
        lambda m, text: m.token_classification(text, aggregation_strategy="viterbi"),
    ),
    "write": ("t5-tied", lambda m, text: m.text2text(text, max_new_tokens=3)),
    "unigram": ("xlm-roberta-ner", lambda m, text: m.token_classification(text)),
    "bytes": ("roberta-masked-lm", lambda m, text: m.score(text)),
}


SCORED = ("score", "bytes")  # have nothing to say where there is no token


def spans_of(result: Any) -> list[tuple[int, int, str | None]]:
    """All [start, end) of a result, with the text they are said to hold."""
    if isinstance(result, dict):
        own = []
        if "start" in result:
            own = [(result["start"], result["end"], result.get("text"))]
        return own + [span for value in result.values() for span in spans_of(value)]
    if isinstance(result, (list, tuple)):
        return [span for value in result for span in spans_of(value)]
    return []


@pytest.mark.parametrize("task", ASK)
@given(text=TEXTS)
def test_any_text_is_answered_or_refused(task: str, text: str, tiny: Tiny) -> None:
    """Offsets lie in the text as sent and hold what they say; numbers are finite."""
    checkpoint, ask = ASK[task]
    model = tiny(checkpoint)
    if not text.strip() or (task in SCORED and not model.tokenizer.tokens(text).ids):
        with pytest.raises(EmptyTextError):
            ask(model, text)
        return
    result = ask(model, text)
    values = result.to_dict()
    assert values["text"] == text
    for start, end, said in spans_of(values):
        assert 0 <= start <= end <= len(text)
        assert said is None or said == text[start:end]
    for name in ("score", "perplexity", "scores", "embedding"):
        assert np.isfinite(values.get(name, 0)).all()


@given(before=TEXTS, after=TEXTS)
def test_masks_among_any_text(before: str, after: str, tiny: Tiny) -> None:
    """Whatever stands around a mask, its span is the mask's and only it is replaced."""
    text = f"{before}[MASK]{after}"
    result = tiny("bert-masked-lm").fill_mask(text, top_k=2, alternatives=2)
    [mask] = [one for one in result.masks if one.start == len(before)]
    for candidate in mask.candidates:
        assert candidate.sequence == before + candidate.token + after
    assert result.alternatives[0].sequence == mask.candidates[0].sequence


@pytest.mark.parametrize("task", ASK)
def test_the_company_does_not_matter(task: str, tiny: Tiny) -> None:
    """Alone, together or in reverse, a text has the same answer to 1e-4."""
    checkpoint, ask = ASK[task]
    model = tiny(checkpoint)
    texts = ["书", "今天天气真好，适合出去玩。", "我在北京大学学习人工智能。" * 3, "Python 3.11"]
    alone = [ask(model, text) for text in texts]
    together = ask(model, texts)
    backwards = ask(model, texts[::-1])[::-1]
    for one, other, third in zip(alone, together, backwards, strict=True):
        assert_close(one, other)
        assert_close(one, third)


def assert_close(one: Any, other: Any) -> None:
    """The same fields, numbers to 1e-4 or 1e-3 of themselves."""
    if isinstance(one, Result):
        assert_close(one.to_dict(), other.to_dict())
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_close(one[name], other[name])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_close(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-4, rel=1e-3)
    else:
        assert one == other


@given(order=st.permutations(["天气", "公司", "北京大学", "书"]), batch=st.integers(1, 5))
def test_order_of_labels_and_size_of_batches(order: list[str], batch: int, tiny: Tiny) -> None:
    """Labels in any order and texts in any batches are scored the same, however they are."""
    texts = ["今天天气真好。", "书", "公司去年的收入增长了。"]
    for name, method in [("bert-nli", "entailment"), ("bert-masked-lm", "cloze")]:
        classifier = ZeroShotClassifier(tiny(name))
        expected = classifier.predict(texts, sorted(order), method=method)
        found = classifier.predict(texts, order, batch_size=batch, method=method)
        for one, other in zip(expected, found, strict=True):
            assert one.labels == other.labels
            assert_close(one, other)


LONG = "王小明在上海的公司写程序，" * 770 + "🙂"
# Latin letters, for a vocabulary that spells a Chinese character with three tokens.
LATIN = "Xiaoming writes a program in Shanghai, " * 260 + "🙂"
# What a random model doubts is everywhere; so only the reading of the text is tried at this length.
ASK_LONG = {**ASK, "check": ("bert-masked-lm", lambda m, text: m.check(text, threshold=1.0))}
CUT = ("rank", "pair", "similar", "write")  # read one window; all others read everything


@pytest.mark.parametrize("task", ASK)
def test_ten_thousand_characters(task: str, tiny: Tiny) -> None:
    """A text of 10,000 characters is answered; what is not read is said, in the text's offsets."""
    text = LATIN if task == "bytes" else LONG
    assert len(text) > 10_000
    checkpoint, ask = ASK_LONG[task]
    values = ask(tiny(checkpoint), text).to_dict()
    assert values["text"] == text
    assert bool(values.get("truncated")) == (task in CUT)
    if unread := values.get("unread"):
        assert unread[-1][1] == len(text)
    if task in SCORED:
        ends = [token["end"] for token in values["tokens"]]
        assert ends == sorted(ends)
        assert ends[-1] >= len(text) - 1
    if task in ("tokens", "words", "scheme", "unigram"):
        assert max(end for _, end, _ in spans_of(values)) > 9_900


@pytest.mark.parametrize("task", ["similar", "pair", "write"])
def test_what_is_cut_of_a_long_text_is_named(task: str, tiny: Tiny) -> None:
    """Two texts, or one for a writer: from where on they were not read; "error" refuses them."""
    name, inputs = {
        "similar": ("sentence-similarity", (LONG, "今天")),
        "pair": ("text-classification", ("今天", LONG)),
        "write": ("text2text-generation", (LONG,)),
    }[task]
    model = tiny(ASK[task][0])
    head = {} if task == "write" else {"head": "classification"}
    result = model.complete(model.steps(name, *inputs, **head))
    [(_, last)] = result.unread_pair if task == "pair" else result.unread
    assert last == len(LONG)
    with pytest.raises(TextTooLongError):
        model.complete(model.steps(name, *inputs, truncate="error", **head))


@pytest.mark.parametrize("task", ["embed", "zero-shot", "classify"])
def test_long_texts_as_asked_for(task: str, tiny: Tiny) -> None:
    """The beginning alone names the rest as unread; "error" refuses; windows read everything."""
    name = {"embed": "feature-extraction", "zero-shot": "zero-shot-classification",
            "classify": "text-classification"}[task]  # fmt: skip
    model = tiny(ASK[task][0])
    inputs = (LONG, ["体育", "财经"]) if task == "zero-shot" else (LONG,)
    end = model.complete(model.steps(name, *inputs, truncate="end"))
    [(first, last)] = end.unread
    assert end.truncated
    assert last == len(LONG)
    beginning = model.complete(model.steps(name, LONG[:first], *inputs[1:], truncate="error"))
    assert_close(
        type(end)(**{**vars(end), "text": "", "truncated": False, "unread": ()}),
        type(end)(**{**vars(beginning), "text": ""}),
    )
    windows = model.complete(model.steps(name, *inputs))
    assert (windows.truncated, windows.unread) == (False, ())
    with pytest.raises(TextTooLongError):
        model.complete(model.steps(name, *inputs, truncate="error"))


@pytest.mark.parametrize("text", ["坏\ud800", "\udfff", "好\ud83d好\ude42"])
@pytest.mark.parametrize("task", ASK)
def test_half_a_character_is_refused(task: str, text: str, tiny: Tiny) -> None:
    """A lone surrogate is no character: an error of its own, and no crash of the tokenizer."""
    checkpoint, ask = ASK[task]
    with pytest.raises(InputError, match="surrogate"):
        ask(tiny(checkpoint), text)


def test_half_a_character_among_characters(model: Model) -> None:
    """Where each character is a token of its own, half of one is refused all the same."""
    with pytest.raises(InputError, match="surrogate"):
        model.token_classification("坏\ud800")
