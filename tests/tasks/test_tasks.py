"""Tasks driven by arrays made by hand: what they ask, and what they make of the answers.

No model runs here; a `Context` with a real tokenizer and heads that are only descriptions is all
that a task needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qingyu import bundle
from qingyu.bundle import HeadInfo
from qingyu.errors import InputError, TaskNotSupportedError, TextTooLongError
from qingyu.model import Model, ZeroShotClassifier
from qingyu.numbers import FloatArray
from qingyu.query import Query, Steps
from qingyu.tasks import registry
from qingyu.tasks.context import Context
from qingyu.tasks.drive import complete
from qingyu.text import windows
from qingyu.text.tokenizer import Tokenizer

SEQUENCE, TOKEN = "sequence-classification", "token-classification"
Answer = Callable[[Query], Any]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(bundle.find(bundle.DEFAULT) / bundle.TOKENIZER)


def a_context(tokenizer: Tokenizer, heads: dict[str, HeadInfo], max_tokens: int = 64) -> Context:
    return Context("made-up", tokenizer, heads, max_tokens)


def drive(steps: Steps[Any], answer: Answer) -> tuple[Any, list[list[Query]]]:
    """The result of a task whose queries `answer` answers, and what it asked in each round."""
    asked: list[list[Query]] = []

    def run(queries: list[Query]) -> list[FloatArray]:
        asked.append(queries)
        return [np.asarray(answer(query), np.float32) for query in queries]

    [result] = complete([steps], run)
    return result, asked


def classifier(*labels: str, problem: Any = "single_label") -> dict[str, HeadInfo]:
    return {"head": HeadInfo("", SEQUENCE, labels, problem)}


# -- zero-shot ------------------------------------------------------------------------------------

NLI = classifier("neutral", "Entailment", "CONTRADICTION")


def test_zero_shot_is_a_softmax_of_entailment(tokenizer: Tokenizer) -> None:
    """Scores are the softmax of the logits of the label that says entailment, best first."""
    logits = iter([1.0, 3.0, 2.0])
    context = a_context(tokenizer, NLI)
    steps = registry.ZERO_SHOT.begin(context, "球赛", ["丙", "乙", "甲"])
    result, [queries] = drive(steps, lambda _: [[9.0, next(logits), -9.0]])
    assert result.labels == ("乙", "甲", "丙")
    expected = np.exp([3, 2, 1]) / np.exp([3, 2, 1]).sum()
    np.testing.assert_allclose(result.scores, expected, rtol=1e-5)
    text, hypothesis = tokenizer.tokens("球赛").ids, tokenizer.tokens("这段话说的是丙。").ids
    assert queries[0].input_ids.tolist() == tokenizer.framed_pair(text, hypothesis)[0].tolist()


@pytest.mark.parametrize("labels", [["甲", "乙"], ["甲"]])
def test_zero_shot_of_many_labels_is_against_contradiction(
    tokenizer: Tokenizer, labels: list[str]
) -> None:
    """With multi_label, and for one label, each is entailment against contradiction alone."""
    context = a_context(tokenizer, NLI)
    steps = registry.ZERO_SHOT.begin(context, "球赛", labels, multi_label=len(labels) > 1)
    result, _ = drive(steps, lambda _: [[50.0, 2.0, 1.0]])
    assert result.multi_label
    np.testing.assert_allclose(result.scores, 1 / (1 + math.exp(-1)), rtol=1e-5)


def test_zero_shot_with_two_outputs(tokenizer: Tokenizer) -> None:
    """A head of entailment and not_entailment has no contradiction: all the rest is against."""
    context = a_context(tokenizer, classifier("entailment", "not_entailment"))
    steps = registry.ZERO_SHOT.begin(context, "球赛", "甲, 乙", multi_label=True)
    result, _ = drive(steps, lambda _: [[0.0, 2.0]])
    assert result.labels == ("乙", "甲")  # a tie: by code point
    np.testing.assert_allclose(result.scores, 1 / (1 + math.exp(2)), rtol=1e-5)


def test_zero_shot_averages_templates_and_describes_labels(tokenizer: Tokenizer) -> None:
    """Every template is asked about every description; scores are the mean over templates."""
    said = {tuple(tokenizer.tokens(text).ids): logit for text, logit in
            [("说球赛", 1.0), ("说股票", 0.0), ("关于球赛", 0.0), ("关于股票", 0.0)]}  # fmt: skip
    sep = tokenizer.token_to_id("[SEP]")

    def answer(query: Query) -> Any:
        ids = query.input_ids.tolist()
        hypothesis = ids[ids.index(sep) + 1 : -1]
        return [[0.0, said[tuple(hypothesis)], 0.0]]

    steps = registry.ZERO_SHOT.begin(
        a_context(tokenizer, NLI), "主队赢了", {"体育": "球赛", "财经": "股票"},
        hypothesis_template=["说{}", "关于{}"],
    )  # fmt: skip
    result, [queries] = drive(steps, answer)
    assert len(queries) == 4
    assert result.labels == ("体育", "财经")
    assert result.scores[0] == pytest.approx((math.e / (math.e + 1) + 0.5) / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("labels", "parameters"),
    [([], {}), ("", {}), (" , ，", {}), (["甲", "甲"], {}), ("甲,甲", {}), (["甲", ""], {}),
     (["甲", 3], {}), (None, {}), ({"甲": ""}, {}), ({}, {}), (7, {}),
     (["甲"], {"hypothesis_template": "没有空位"}), (["甲"], {"hypothesis_template": []}),
     (["甲"], {"hypothesis_template": ["{}", "没有"]}), (["甲"], {"hypothesis_template": ""}),
     (["甲"], {"multi_label": "yes"}), (["甲"], {"truncate": "start"})],
)  # fmt: skip
def test_zero_shot_refuses_what_makes_no_sense(
    tokenizer: Tokenizer, labels: Any, parameters: dict[str, Any]
) -> None:
    """Empty or repeated labels and templates without {} are one clear error each."""
    steps = registry.ZERO_SHOT.begin(a_context(tokenizer, NLI), "球赛", labels, **parameters)
    with pytest.raises(InputError) as error:
        next(steps)
    assert error.value.zh != error.value.en


def test_a_label_longer_than_the_model_reads_is_refused(tokenizer: Tokenizer) -> None:
    """A hypothesis may take half of what is read, and is never cut."""
    steps = registry.ZERO_SHOT.begin(a_context(tokenizer, NLI), "球赛", ["很" * 40])
    with pytest.raises(TextTooLongError):
        next(steps)


def test_zero_shot_needs_a_label_that_says_entailment(tokenizer: Tokenizer) -> None:
    """A classifier whose labels speak of no entailment is not taken for one that does."""
    context = a_context(tokenizer, classifier("LABEL_0", "LABEL_1", "LABEL_2"))
    assert "zero-shot-classification" not in registry.supported(context.heads)
    with pytest.raises(TaskNotSupportedError):
        next(registry.ZERO_SHOT.begin(context, "球赛", ["甲"]))


def test_the_classifier_takes_a_set_of_labels_for_each_text(model: Model) -> None:
    """Sets of their own, as many as texts; another number is an error, and so is a batch of 0."""
    classifier = ZeroShotClassifier(model)
    texts = ["主队在最后一分钟攻入制胜球。", "明天上午有小雨。"]
    results = classifier.predict(texts, [["体育", "财经"], {"天气": "天气", "财经": "股票"}])
    assert [result.labels[0] for result in results] == ["体育", "天气"]
    assert [result.labels[0] for result in classifier.predict(texts[0], "体育,财经")] == ["体育"]
    assert classifier.predict([], ["体育"]) == []
    for labels, size in [([["体育"]], 32), (["体育"], 0), (["体育"], True)]:
        with pytest.raises(InputError):
            classifier.predict(texts, labels, batch_size=size)


# -- classification and similarity ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "expected"),
    [("single_label", [0.731059, 0.268941]), ("multi_label", [0.880797, 0.731059]),
     ("regression", [2.0, 1.0])],
)  # fmt: skip
def test_what_logits_mean(tokenizer: Tokenizer, problem: Any, expected: list[float]) -> None:
    """One right label, several, or a value: softmax, sigmoid, or the logits themselves."""
    context = a_context(tokenizer, classifier("甲", "乙", problem=problem))
    result, _ = drive(registry.CLASSIFICATION.begin(context, "好"), lambda _: [[1.0, 2.0]])
    assert result.labels == ("乙", "甲")
    np.testing.assert_allclose(result.scores, expected, rtol=1e-5)


def test_windows_are_averaged_by_what_they_alone_show(tokenizer: Tokenizer) -> None:
    """The logits of overlapping windows count by the tokens each answers for."""
    context = a_context(tokenizer, classifier("甲", "乙"), max_tokens=22)
    steps = registry.CLASSIFICATION.begin(context, "好" * 30, function_to_apply="none")
    logits = iter([[0.0, 0.0], [3.0, 6.0]])
    result, [queries] = drive(steps, lambda _: [next(logits)])
    assert [len(query.input_ids) for query in queries] == [22, 22]  # tokens 0-20 and 10-30
    assert sorted(result.scores) == pytest.approx([1.5, 3.0])  # each answers for 15
    assert not result.truncated


def test_the_default_head_is_found_by_what_labels_say(tokenizer: Tokenizer) -> None:
    """Single texts go to the plain classifier, pairs to one of pairs, whatever their order."""
    heads = {
        "nli": HeadInfo("", SEQUENCE, ("entailment", "neutral", "contradiction")),
        "same": HeadInfo("", SEQUENCE, ("不相似", "相似")),
        "mood": HeadInfo("", SEQUENCE, ("负面", "正面")),
    }
    context = a_context(tokenizer, heads)
    one, [[single]] = drive(registry.CLASSIFICATION.begin(context, "好"), lambda _: [[0.0, 1.0]])
    two, [[pair]] = drive(
        registry.CLASSIFICATION.begin(context, "好", "坏"), lambda _: [[0.0, 1.0, 2.0]]
    )
    same, [[compared]] = drive(
        registry.SIMILARITY.begin(context, "好", "坏"), lambda _: [[0.0, 1.0]]
    )
    assert [query.head for query in (single, pair, compared)] == ["mood", "nli", "same"]
    assert (one.label, two.label, same.label) == ("正面", "contradiction", "相似")
    assert same.score == pytest.approx(0.731059, rel=1e-5)


def test_similarity_by_a_head_whose_labels_do_not_tell(tokenizer: Tokenizer) -> None:
    """Of two unnamed labels the second means “the same”; a regression answers its value."""
    two = a_context(tokenizer, classifier("LABEL_0", "LABEL_1"))
    with pytest.raises(TaskNotSupportedError):
        next(registry.SIMILARITY.begin(two, "好", "坏"))
    result, _ = drive(
        registry.SIMILARITY.begin(two, "好", "坏", head="head"), lambda _: [[2.0, 0.0]]
    )
    assert result.score == pytest.approx(0.119203, rel=1e-5)
    value = a_context(tokenizer, classifier("score", problem="regression"))
    result, _ = drive(registry.SIMILARITY.begin(value, "好", "坏", head="head"), lambda _: [[4.5]])
    assert result.score == 4.5


@pytest.mark.parametrize(
    ("lengths", "kept"),
    [((5, 5), (5, 5)), ((40, 3), (26, 3)), ((3, 40), (3, 26)), ((40, 40), (15, 14)),
     ((20, 40), (15, 14)), ((10, 40), (10, 19)), ((29, 0), (29, 0))],
)  # fmt: skip
def test_a_long_pair_is_cut_at_the_end_of_the_longer(
    tokenizer: Tokenizer, lengths: tuple[int, int], kept: tuple[int, int]
) -> None:
    """As much as fits of both; what stays unread is said of each; "error" refuses instead."""
    context = a_context(tokenizer, classifier("不相似", "相似"), max_tokens=32)
    texts = "好" * lengths[0], "坏" * lengths[1] or "\u200b"
    result, [[query]] = drive(registry.SIMILARITY.begin(context, *texts), lambda _: [[0.0, 1.0]])
    good, bad = (tokenizer.token_to_id(char) for char in "好坏")
    assert [query.input_ids.tolist().count(i) for i in (good, bad)] == list(kept)
    whole = sum(lengths) <= 29
    assert result.truncated is not whole
    assert result.unread == (((kept[0], lengths[0]),) if kept[0] < lengths[0] else ())
    assert result.unread_pair == (((kept[1], lengths[1]),) if kept[1] < lengths[1] else ())
    if not whole:
        with pytest.raises(TextTooLongError):
            next(registry.SIMILARITY.begin(context, *texts, truncate="error"))


def test_ranking_puts_the_most_similar_first(tokenizer: Tokenizer) -> None:
    """Each text keeps its place in the list as sent, and ties stay in that order."""
    logits = iter([0.0, 2.0, 0.0, 1.0])
    context = a_context(tokenizer, classifier("different", "similar"))
    steps = registry.RANKING.begin(context, "好", ["甲", "乙", "丙", "丁"], top_k=3)
    result, [queries] = drive(steps, lambda _: [[0.0, next(logits)]])
    assert len(queries) == 4
    assert [(one.index, one.text) for one in result.ranking] == [(1, "乙"), (3, "丁"), (0, "甲")]


# -- token classification -------------------------------------------------------------------------


def tagged(tokenizer: Tokenizer, text: str, tags: list[str], **parameters: Any) -> list[Any]:
    """(label, text, start, end) of the entities of a text whose characters have these tags."""
    labels = tuple(dict.fromkeys(["O", *tags]))
    heads = {"tags": HeadInfo("", TOKEN, labels, unit="character")}
    context = a_context(tokenizer, heads, parameters.pop("max_tokens", 64))
    rows = {place: [5.0 * (label == tag) for label in labels] for place, tag in enumerate(tags)}
    steps = registry.TOKENS.begin(context, text, **parameters)
    done = 0

    def answer(query: Query) -> Any:
        nonlocal done
        done += len(query.positions)
        return [rows[i] for i in range(done - len(query.positions), done)]

    result, _ = drive(steps, answer)
    return [(one.label, one.text, one.start, one.end) for one in result.entities]


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ("B-A I-A O B-B", [("A", "甲乙", 0, 2), ("B", "丁", 3, 4)]),
        ("B-A B-A I-A O", [("A", "甲", 0, 1), ("A", "乙丙", 1, 3)]),
        ("I-A I-A I-B O", [("A", "甲乙", 0, 2), ("B", "丙", 2, 3)]),
        ("B-A E-A S-A S-A", [("A", "甲乙", 0, 2), ("A", "丙", 2, 3), ("A", "丁", 3, 4)]),
        ("B-A M-A E-A O", [("A", "甲乙丙", 0, 3)]),
        ("B-A L-A U-A O", [("A", "甲乙", 0, 2), ("A", "丙", 2, 3)]),
        ("A A O B", [("A", "甲乙", 0, 2), ("B", "丁", 3, 4)]),
        ("O O O O", []),
    ],
)
def test_schemes_of_labels(tokenizer: Tokenizer, tags: str, entities: list[Any]) -> None:
    """BIO, BIOES, BMEWO, BILOU and bare labels each give their spans."""
    found = tagged(tokenizer, "甲乙丙丁", tags.split(), aggregation_strategy="simple")
    assert found == entities


def test_every_token_without_joining(tokenizer: Tokenizer) -> None:
    """With "none", each labelled token stands for itself, with its letter."""
    found = tagged(tokenizer, "甲乙丙", ["B-A", "I-A", "O"], aggregation_strategy="none")
    assert found == [("B-A", "甲", 0, 1), ("I-A", "乙", 1, 2)]


def test_offsets_skip_what_has_no_token(tokenizer: Tokenizer) -> None:
    """White space, zero width and wide characters keep their places in the text as sent."""
    text = "🙂（ 王\u200b明） ＡＢ"
    assert tagged(tokenizer, text, ["O", "O", "B-P", "I-P", "O", "B-G", "I-G"]) == [
        ("P", "王\u200b明", 3, 6),
        ("G", "ＡＢ", 8, 10),
    ]


def test_a_long_text_is_tagged_in_windows(tokenizer: Tokenizer) -> None:
    """Every character is asked about once, in order, and a span may cross from window to window."""
    tags = ["O"] * 14 + ["B-A"] + ["I-A"] * 3 + ["O"] * 32
    assert tagged(tokenizer, "好" * 50, tags, max_tokens=22) == [("A", "好好好好", 14, 18)]


# -- windows and masks ----------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 17, 18, 25, 100, 1000])
def test_windows_cover_a_text(length: int) -> None:
    """Windows are full, overlap, and their cores are a partition away from inner edges."""
    spans = windows.overlapping(length, 10)
    cores = windows.cores(spans)
    assert [i for first, last in cores for i in range(first, last)] == list(range(length))
    for (start, end), (first, last) in zip(spans, cores, strict=True):
        assert end - start == min(length, 10)
        assert start == 0 or first - start >= 1
        assert end == length or end - last >= 1


MASKED = {"fill-mask": HeadInfo("", "masked-lm")}


@pytest.mark.parametrize("length", [1, 20, 32, 33, 64, 200])
def test_scoring_masks_every_token_once_at_a_bounded_cost(
    tokenizer: Tokenizer, length: int
) -> None:
    """Up to 32 tokens each is masked alone; a text costs at most 32 times what is read of it."""
    size = tokenizer.vocab_size
    good, mask = tokenizer.token_to_id("好"), tokenizer.mask_id
    seen = 0

    def answer(query: Query) -> Any:
        nonlocal seen
        assert all(query.input_ids[i] == mask for i in query.positions)
        assert (query.input_ids == mask).sum() == len(query.positions)
        assert length > 32 or len(query.positions) == 1
        seen += len(query.positions)
        rows = np.zeros((len(query.positions), size), np.float32)
        rows[:, good] = 2.0
        return rows

    context = a_context(tokenizer, MASKED, 66)
    result, rounds = drive(registry.SCORE.begin(context, "好" * length), answer)
    assert seen == length == len(result.tokens)
    cost = sum(query.cost for queries in rounds for query in queries)
    assert cost <= 32 * 66 * len(windows.overlapping(length, 64))
    expected = 2 - math.log(math.exp(2) + size - 1)
    assert result.log_likelihood == pytest.approx(length * expected, rel=1e-4)
    assert result.perplexity == pytest.approx(math.exp(-expected), rel=1e-4)


def test_a_task_nobody_knows_is_told(model: Model) -> None:
    """An unknown task and unknown parameters are errors that name what there is."""
    with pytest.raises(TaskNotSupportedError, match="fill-mask"):
        model.steps("translate", "好")
    with pytest.raises(InputError, match="colour"):
        model.steps("score", "好", colour="red")
    with pytest.raises(InputError):
        model.steps("score")
    assert model.tasks == [name for name in registry.TASKS if name != "text2text-generation"]
