"""Fill-mask: where masks may stand, how they may be written, and what may fill them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qingyu.errors import (
    EmptyTextError,
    InputError,
    NoMaskError,
    TaskNotSupportedError,
    TextTooLongError,
    TooManyMasksError,
)
from qingyu.model import Model
from qingyu.numbers import softmax
from qingyu.results import FillMaskResult
from qingyu.text.lexicon import Lexicon

SENTENCES = Path(__file__).parents[1] / "golden" / "sentences.txt"
WEATHER = "今天天气真[MASK]啊，适合出去玩。"


def room_of(model: Model) -> int:
    """Tokens of a text that fit beside [CLS] and [SEP]."""
    return model.manifest.sizes.max_positions - 2


def tokens(result: FillMaskResult, mask: int = 0) -> list[str]:
    return [candidate.token for candidate in result.masks[mask].candidates]


def test_candidates_are_probabilities_in_place(model: Model) -> None:
    """Best first, each the softmax over the vocabulary at the mask, put into the text."""
    result = model.fill_mask(WEATHER, top_k=7)
    [mask] = result.masks
    [query] = next(model.steps("fill-mask", WEATHER))
    scores = softmax(model.run([query])[0][0])
    assert len(mask.candidates) == 7
    assert [c.score for c in mask.candidates] == sorted(c.score for c in mask.candidates)[::-1]
    for candidate in mask.candidates:
        assert candidate.score == pytest.approx(scores[candidate.token_id], abs=1e-6)
        assert candidate.sequence == WEATHER.replace("[MASK]", candidate.token)
    assert result.sequence == mask.candidates[0].sequence
    assert not result.truncated
    assert result.unread == ()


@pytest.mark.parametrize(
    "spelling",
    [
        *("[MASK]", "[mask]", "[Mask]", "［MASK］", "［mask]", "<mask>", "<MASK>"),
        *("【MASK】", "[ MASK ]", "【 mask 】", "〔MASK〕", "《MASK》", "＜mask＞", "［ＭＡＳＫ］"),
        *("___", "（ ）", "(  )", "□"),
    ],
)
def test_masks_are_known_in_any_case(model: Model, spelling: str) -> None:
    """Case and full-width brackets change nothing but the text that is given back."""
    text = WEATHER.replace("[MASK]", spelling)
    result = model.fill_mask(text)
    assert (result.masks[0].start, result.masks[0].end) == (5, 5 + len(spelling))
    assert result.sequence == model.fill_mask(WEATHER).sequence


@pytest.mark.parametrize(
    ("mask", "written"),
    [("___", "__"), ("___", "______"), ("（ ）", "（）"), ("（ ）", "(   )"),
     ("（ ）", "（\u3000）"), ("□", "□"), ("〇〇", "〇〇"), ("?", "?")],
)  # fmt: skip
def test_other_spellings_on_request(model: Model, mask: str, written: str) -> None:
    """A blank of any width counts as one mask if asked for; its span is the blank as sent."""
    text = f"🙂天气真{written}啊，人真[MASK]。"
    result = model.fill_mask(text, mask=mask)
    expected = model.fill_mask("🙂天气真[MASK]啊，人真[MASK]。")
    assert [text[one.start : one.end] for one in result.masks] == [written, "[MASK]"]
    assert [tokens(result, i) for i in (0, 1)] == [tokens(expected, i) for i in (0, 1)]
    assert result.sequence == expected.sequence


def test_other_spellings_are_text_where_a_mask_stands(model: Model) -> None:
    """Brackets and underscores are masks if somebody says so, or where there is no [MASK]."""
    assert len(model.fill_mask("今天（ ）天气真[MASK]啊___").masks) == 1
    assert len(model.fill_mask("今天（ ）天气真[MASK]啊", mask="（ ）").masks) == 2
    with pytest.raises(NoMaskError):
        model.fill_mask("今天___天气", mask="□")


@pytest.mark.parametrize("text", ["[MASK]", "[MASK]好", "好[MASK]", "[MASK]好[MASK]", "[MASK]\n"])
def test_masks_at_the_edges(model: Model, text: str) -> None:
    """A mask may be the first thing, the last thing, or everything."""
    result = model.fill_mask(text)
    assert len(result.masks) == text.count("[MASK]")
    for mask in result.masks:
        assert text[mask.start : mask.end] == "[MASK]"
        assert mask.candidates[0].sequence == (
            text[: mask.start] + mask.candidates[0].token + text[mask.end :]
        )


def test_a_long_text_is_read_around_its_masks(model: Model) -> None:
    """10,000 characters: each mask is answered as in its own window, and the rest is named."""
    filler = SENTENCES.read_text("utf-8").replace("\n", "")
    text = filler[:300] + "这里的风景很[MASK]。" + filler[:9000] + "他[MASK]常高兴。" + filler[:900]
    assert len(text) > 10_000
    result = model.fill_mask(text)
    assert result.truncated
    edges = [0, *(at for span in result.unread for at in span), len(text)]
    read = [
        text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True) if end > start
    ]
    assert len(read) == 2
    for mask, window in zip(result.masks, read, strict=True):
        assert text[mask.start : mask.end] == "[MASK]"
        assert len(model.tokenizer.tokens(window).ids) == room_of(model)
        alone = model.fill_mask(window, truncate="error").masks[0].candidates
        assert [c.token for c in mask.candidates] == [c.token for c in alone]
        np.testing.assert_allclose(
            [c.score for c in mask.candidates], [c.score for c in alone], atol=1e-4
        )


def test_a_long_text_may_be_refused(model: Model) -> None:
    """With truncate="error" a text is answered whole or not at all; the limit itself still fits."""
    room = room_of(model)
    fits = "好" * (room - 1) + "[MASK]"
    assert not model.fill_mask(fits, truncate="error").truncated
    with pytest.raises(TextTooLongError) as error:
        model.fill_mask("好" + fits, truncate="error")
    assert str(room + 1) in error.value.zh
    assert str(room) in error.value.en


@pytest.mark.parametrize("targets", [["好", "冷", "热"], "好", ["好", "好"]])
def test_targets_of_one_token(model: Model, targets: Any) -> None:
    """A target that is a token has its probability at the mask, as in transformers."""
    [query] = next(model.steps("fill-mask", WEATHER))
    scores = softmax(model.run([query])[0][0])
    [mask] = model.fill_mask(WEATHER, targets=targets).masks
    assert {c.token for c in mask.candidates} == set(targets)
    for candidate in mask.candidates:
        assert candidate.score == pytest.approx(scores[candidate.token_id], rel=1e-4)


def test_targets_of_any_length(model: Model) -> None:
    """A longer target is the product of its pieces left to right, and has no token id."""
    text = "我在[MASK]上大学。"
    [mask] = model.fill_mask(text, targets=["北京", "家"]).masks
    by_name = {c.token: c for c in mask.candidates}
    first = model.fill_mask("我在[MASK][MASK]上大学。", targets="北").masks[0].candidates[0]
    second = model.fill_mask("我在北[MASK]上大学。", targets="京").masks[0].candidates[0]
    assert by_name["北京"].score == pytest.approx(first.score * second.score, rel=1e-3)
    assert by_name["北京"].token_id is None
    assert by_name["北京"].sequence == "我在北京上大学。"
    assert by_name["家"].token_id == model.tokenizer.token_to_id("家")


def test_a_target_beyond_the_vocabulary_is_refused(model: Model) -> None:
    """What cannot be spelt is told, and neither cut nor scored as something else."""
    with pytest.raises(InputError, match="𠮷"):
        model.fill_mask(WEATHER, targets=["好", "𠮷"])


def test_alternatives_have_their_joint_probability(model: Model) -> None:
    """Masks filled together give words; a score is the chain of conditional probabilities."""
    text = "[MASK][MASK]大学位于北京。"
    result = model.fill_mask(text, alternatives=5)
    assert len(result.alternatives) == 5
    scores = [one.score for one in result.alternatives]
    assert scores == sorted(scores, reverse=True)
    best = result.alternatives[0]
    assert result.sequence == best.sequence == text.replace("[MASK][MASK]", "".join(best.tokens))
    a, b = best.tokens
    first = model.fill_mask(text, targets=a).masks[0].candidates[0].score
    second = model.fill_mask(f"{a}[MASK]大学位于北京。", targets=b).masks[0].candidates[0].score
    assert best.score == pytest.approx(first * second, rel=1e-3)


def test_alternatives_leave_the_independent_ranking(model: Model) -> None:
    """The candidates of each mask are the same with alternatives and without."""
    text = "他[MASK]天去了[MASK]店。"
    with_them = model.fill_mask(text, alternatives=3)
    assert with_them.masks == model.fill_mask(text).masks
    assert [len(one.tokens) for one in with_them.alternatives] == [2, 2, 2]


def test_a_lexicon_gives_its_words(model: Model) -> None:
    """Masks side by side are filled by one word of the list, and no word of another length."""
    words = ["两全其美", "画蛇添足", "天衣无缝", "皆大", "高兴极了吗"]
    text = "真是个[MASK][MASK][MASK][MASK]的好办法。"
    result = model.fill_mask(text, lexicon=words, alternatives=9)
    assert {"".join(one.tokens) for one in result.alternatives} == set(words[:3])
    assert model.fill_mask(text, lexicon=words).alternatives == result.alternatives[:1]
    assert set(tokens(result, 1)) == {"全", "蛇", "衣"}
    unfilled = "真是[MASK][MASK]。"
    assert model.fill_mask(unfilled, lexicon=["一二三"]).sequence == unfilled


@pytest.mark.parametrize(
    ("lexicon", "passes"),
    [
        ({"words": ["红", "蓝", "紫色"]}, lambda word: word in "红蓝"),
        ({"allowed": "红黄蓝绿青"}, lambda word: word in "红黄蓝绿青"),
        ({"pattern": "[一-鿿]", "banned": ["红", "黑"]}, lambda word: word not in "红黑"),
        ({"length": 1, "pattern": "[a-z]"}, lambda word: word.isascii()),
        (Lexicon(length=2), lambda word: len(word) == 2),
    ],
)
def test_a_lexicon_filters_one_mask(
    model: Model, lexicon: Any, passes: Callable[[str], bool]
) -> None:
    """List, pattern, length, characters and bans each hold, and the order stays as it was."""
    text = "她穿着一条[MASK]色的裙子。"
    [mask] = model.fill_mask(text, lexicon=lexicon, top_k=5).masks
    everything = model.fill_mask(text, top_k=10_000).masks[0].candidates
    kept = [c for c in everything if Lexicon.of(lexicon).admits(c.token)]
    assert mask.candidates
    assert all(passes(c.token) for c in mask.candidates)
    assert [c.token_id for c in mask.candidates] == [c.token_id for c in kept[:5]]


def test_what_cannot_be_answered_is_said_once_and_clearly(model: Model) -> None:
    """Each mistake is an error of its own kind, in both languages."""
    for text, error in [
        ("没有空", NoMaskError), ("", EmptyTextError), (" \n\t\u3000", EmptyTextError),
        (7, InputError), (None, InputError), ("[MASK]" * 65, TooManyMasksError),
        ("坏\ud800[MASK]", InputError),
    ]:  # fmt: skip
        with pytest.raises(error) as caught:
            model.complete(model.steps("fill-mask", text))
        assert caught.value.zh  # type: ignore[attr-defined]
        assert caught.value.en  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "parameters",
    [{"top_k": 0}, {"top_k": -1}, {"top_k": True}, {"top_k": 1.5}, {"top_k": 10**9},
     {"truncate": "yes"}, {"truncate": None}, {"targets": []}, {"targets": [""]},
     {"targets": [3]}, {"targets": ["好"], "lexicon": ["好"]}, {"alternatives": -1},
     {"alternatives": 65}, {"mask": ""}, {"mask": []}, {"lexicon": "词"}, {"lexicon": 7},
     {"lexicon": {"pattern": "("}}, {"lexicon": {"length": 0}}, {"lexicon": {"colour": "红"}},
     {"lexicon": {"words": "红"}}, {"lexicon": {"banned": [3]}}, {"unknown": 1}],
)  # fmt: skip
def test_wrong_parameters_are_refused(model: Model, parameters: dict[str, Any]) -> None:
    """A parameter out of range or of a wrong type is one clear error."""
    with pytest.raises(InputError):
        model.complete(model.steps("fill-mask", WEATHER, **parameters))


def test_too_many_masks_for_filling_together(model: Model) -> None:
    """Filling together visits the model once a mask, so there are fewer of them."""
    with pytest.raises(TooManyMasksError):
        model.fill_mask("[MASK]" * 17, alternatives=1)


def test_a_model_without_the_head_says_so(tiny: Callable[[str], Model]) -> None:
    """A classifier cannot fill masks, and its error names what it has."""
    classifier = tiny("bert-sentiment")
    assert "fill-mask" not in classifier.tasks
    with pytest.raises(TaskNotSupportedError, match="classification"):
        classifier.fill_mask(WEATHER)
