"""Every task answers what transformers' pipeline answers on the same tiny checkpoint at FP32."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from qingyu.model import Model

Tiny: TypeAlias = Callable[[str], Model]
Case: TypeAlias = dict[str, Any]

GOLDEN = Path(__file__).parents[1] / "golden" / "pipelines.json"
CASES: list[Case] = json.loads(GOLDEN.read_text("utf-8"))["cases"]
WITHIN = 1e-3


def cases(task: str) -> Any:
    """The golden cases of a task, one for each input, with readable ids."""
    chosen = []
    for case in CASES:
        if case["task"] != task:
            continue
        if isinstance(case["inputs"], list):
            pairs = zip(case["inputs"], case["outputs"], strict=True)
            chosen += [{**case, "inputs": given, "outputs": output} for given, output in pairs]
        else:
            chosen.append(case)
    assert chosen
    ids = [f"{case['checkpoint']}-{number}" for number, case in enumerate(chosen)]
    return pytest.mark.parametrize("case", chosen, ids=ids)


@cases("fill-mask")
def test_fill_mask(case: Case, tiny: Tiny) -> None:
    """The same tokens in the same order with the same probabilities, special tokens left out."""
    model = tiny(case["checkpoint"])
    result = model.fill_mask(case["inputs"], **case["parameters"])
    expected = case["outputs"]
    for mask, wanted in zip(
        result.masks, expected if isinstance(expected[0], list) else [expected], strict=True
    ):
        plain = [one for one in wanted if not model.tokenizer.is_special(one["token"])]
        found = mask.candidates[: len(plain)]
        assert [one.token_id for one in found] == [one["token"] for one in plain]
        assert [one.score for one in found] == pytest.approx(
            [one["score"] for one in plain], abs=WITHIN
        )


@cases("zero-shot-classification")
def test_zero_shot(case: Case, tiny: Tiny) -> None:
    """The same labels in the same order with the same scores."""
    parameters = dict(case["parameters"])
    labels = parameters.pop("candidate_labels")
    result = tiny(case["checkpoint"]).zero_shot(case["inputs"], labels, **parameters)
    assert list(result.labels) == case["outputs"]["labels"]
    assert result.scores == pytest.approx(case["outputs"]["scores"], abs=WITHIN)


@cases("text-classification")
def test_text_classification(case: Case, tiny: Tiny) -> None:
    """The same labels and scores for one label, several, a regression, and pairs."""
    given = case["inputs"]
    texts = [given["text"], given["text_pair"]] if isinstance(given, dict) else [given]
    parameters = {"top_k": 1, **case["parameters"]}
    result = tiny(case["checkpoint"]).classify(*texts, **parameters)
    outputs = case["outputs"] if isinstance(case["outputs"], list) else [case["outputs"]]
    assert list(result.labels) == [one["label"] for one in outputs]
    assert result.scores == pytest.approx([one["score"] for one in outputs], abs=WITHIN)


@cases("token-classification")
def test_token_classification(case: Case, tiny: Tiny) -> None:
    """The same spans, labels and scores under every way to join tokens."""
    result = tiny(case["checkpoint"]).token_classification(case["inputs"], **case["parameters"])
    found = [(one.label, one.start, one.end) for one in result.entities]
    wanted = [(_label(one), one["start"], one["end"]) for one in case["outputs"]]
    assert found == wanted
    assert [one.score for one in result.entities] == pytest.approx(
        [one["score"] for one in case["outputs"]], abs=WITHIN
    )
    assert all(one.text == case["inputs"][one.start : one.end] for one in result.entities)


def _label(entity: Case) -> str:
    return str(entity.get("entity_group", entity.get("entity")))


@cases("feature-extraction")
def test_feature_extraction(case: Case, tiny: Tiny) -> None:
    """The same normalised mean of hidden states."""
    result = tiny(case["checkpoint"]).embed(case["inputs"])
    np.testing.assert_allclose(result.embedding, case["outputs"], atol=WITHIN, rtol=0)


def test_every_golden_case_is_replayed() -> None:
    """No task of the golden file is forgotten here."""
    replayed = {
        "fill-mask",
        "zero-shot-classification",
        "text-classification",
        "token-classification",
        "feature-extraction",
    }
    assert {case["task"] for case in CASES} - replayed == {"text2text-generation"}
