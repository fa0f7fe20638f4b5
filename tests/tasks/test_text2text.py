"""An encoder-decoder writes what transformers' does, and fills masks by its sentinels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qingyu.errors import InputError, NoMaskError, TaskNotSupportedError, TextTooLongError
from qingyu.model import Model
from qingyu.tasks.text2text import fillings

GOLDEN = Path(__file__).parents[1] / "golden" / "pipelines.json"
PARAMETERS = {"max_new_tokens", "num_beams", "length_penalty"}
CASES = [
    case
    for case in json.loads(GOLDEN.read_text("utf-8"))["cases"]
    if case["task"] == "text2text-generation" and set(case["parameters"]) <= PARAMETERS
]

Tiny = Callable[[str], Model]


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case['checkpoint']}-{case['inputs'][:6]}"
)
def test_it_writes_what_transformers_writes(case: dict[str, Any], tiny: Tiny) -> None:
    """Greedily and with beams, special tokens left out."""
    result = tiny(case["checkpoint"]).text2text(case["inputs"], **case["parameters"])
    assert result.generated_text == case["outputs"][0]["generated_text"].strip()
    assert result.text == case["inputs"]
    assert not result.truncated


@pytest.mark.parametrize("name", ["t5-tied", "mt5-untied"])
def test_masks_are_filled_by_sentinels(name: str, tiny: Tiny) -> None:
    """Each mask gets candidates of its own, their scores shares of one whole; offsets are true."""
    text = "今天[MASK]真好，适合[MASK]玩。"
    result = tiny(name).fill_mask(text, top_k=3)
    assert [text[mask.start : mask.end] for mask in result.masks] == ["[MASK]", "[MASK]"]
    for mask in result.masks:
        assert len(mask.candidates) <= 3
        assert sum(candidate.score for candidate in mask.candidates) <= 1 + 1e-6
        for candidate in mask.candidates:
            start, end = mask.start, mask.end
            assert candidate.sequence == text[:start] + candidate.token + text[end:]
    assert "[MASK]" not in result.sequence


def test_fillings_stand_after_their_sentinels(tiny: Tiny) -> None:
    """In any order, of any length, some missing; what stands before the first is nobody's."""
    tokenizer = tiny("t5-tied").tokenizer
    one, two = (tokenizer.token_to_id(f"<extra_id_{n}>") for n in (0, 1))
    assert one is not None
    assert two is not None
    word, other = tokenizer.tokens("公司").ids, tokenizer.tokens("北").ids
    assert fillings(tokenizer, [*other, two, *word, one, *other], 3) == ["北", "公司", ""]


def test_what_it_cannot_do(tiny: Tiny) -> None:
    """No mask, a text too long where that was refused, wrong numbers, another kind of model."""
    model = tiny("t5-tied")
    with pytest.raises(NoMaskError):
        model.fill_mask("没有空")
    with pytest.raises(TextTooLongError):
        model.text2text("好" * 2000, truncate="error")
    assert model.text2text("好" * 2000, max_new_tokens=1).truncated
    for wrong in ({"num_beams": 0}, {"max_new_tokens": 10**6}, {"length_penalty": "long"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            model.text2text("好", **wrong)  # type: ignore[arg-type]
    with pytest.raises(TaskNotSupportedError):
        tiny("bert-nli").text2text("好")
    assert model.tasks == ["fill-mask", "feature-extraction", "text2text-generation", "search"]
