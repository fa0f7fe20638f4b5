"""The default model, as it ships, against the FP32 answers of the checkpoint it was built from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qingyu.model import Model
from qingyu.numbers import log_softmax, softmax
from qingyu.query import Query

GOLDEN = Path(__file__).parents[1] / "golden"
# Of the checkpoint's heads those that the bundle still has; ner now has layers of its own, which
# tests/build/test_branches.py compares with the reference.
HEADS: dict[str, Any] = {
    name: head
    for name, head in json.loads((GOLDEN / "default-heads.json").read_text("utf-8")).items()
    if name != "ner"
}
TEMPERATURES = {"similar": 1.7, "sentiment": 1.25}  # by which the bundle divides their logits


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return (GOLDEN / "sentences.txt").read_text("utf-8").splitlines()


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    with np.load(GOLDEN / "default-fill-mask.npz") as arrays:
        return dict(arrays)


def test_fill_mask_agrees(model: Model, lines: list[str], golden: dict[str, Any]) -> None:
    """Of 411 lines at least 98 % keep their best token or one within 0.02 of its probability, and
    the mean KL is at most 0.002.

    Strictly the same token is best in 97 %: these lines were written to be hard (the checkpoint
    itself is right in 51 %), and the others are near ties. On text like what it was trained on,
    98.7 % (see the model card).
    """
    ends = np.cumsum(golden["lengths"].astype(np.int64))
    queries = []
    for i, end in enumerate(ends):
        ids = golden["input_ids"][end - golden["lengths"][i] : end].astype(np.int64)
        place = np.array([golden["mask_position"][i]], np.int64)
        queries.append(Query(ids, np.zeros_like(ids), place, "fill-mask"))
    found = log_softmax(np.concatenate(model.run(queries)))
    top = golden["top_ids"].astype(np.int64)
    expected = golden["top_log_probs"].astype(np.float64)
    kept = np.take_along_axis(found, top, axis=1).astype(np.float64)
    # The 64 likeliest one by one, and all the rest as one more outcome.
    p, q = (
        np.c_[np.exp(x), np.clip(1 - np.exp(x).sum(axis=1), 1e-12, 1)] for x in (expected, kept)
    )
    divergence = (p * (np.log(p) - np.log(q))).sum(axis=1).mean()
    best = found.argmax(axis=1)
    assert (best == top[:, 0]).mean() >= 0.96
    share = np.where(top == best[:, None], np.exp(expected), 0).max(axis=1)
    assert (np.exp(expected[:, 0]) - share <= 0.02).mean() >= 0.98
    assert divergence <= 0.002


def test_texts_become_the_golden_tokens(
    model: Model, lines: list[str], golden: dict[str, Any]
) -> None:
    """A line with one character masked is asked about with the tokens of the reference."""
    ends = np.cumsum(golden["lengths"].astype(np.int64))
    for line, at, place, length, end in zip(
        lines, golden["mask_char"], golden["mask_position"], golden["lengths"], ends, strict=True
    ):
        [query] = next(model.steps("fill-mask", f"{line[:at]}[MASK]{line[at + 1 :]}"))
        assert query.input_ids.tolist() == golden["input_ids"][end - length : end].tolist()
        assert query.positions.tolist() == [place]


@pytest.mark.parametrize("head", HEADS)
def test_heads_agree(model: Model, head: str) -> None:
    """Every head gives the checkpoint's best label unless two are close, at nearly its score."""
    expected, found = [], []
    for case in HEADS[head]["cases"]:
        ids = np.array(case["input_ids"], np.int64)
        whole = HEADS[head]["level"] == "seq"
        places = np.zeros(1, np.int64) if whole else np.arange(len(ids))
        types = np.array(case["token_type_ids"], np.int64)
        found.append(model.run([Query(ids, types, places, head)])[0])
        expected.append(np.array(case["logits"], np.float32).reshape(found[-1].shape))
    logits = np.concatenate(expected) / TEMPERATURES.get(head, 1.0)
    p, q = softmax(logits), softmax(np.concatenate(found))
    assert list(model.manifest.heads[head].labels) == HEADS[head]["labels"]
    assert np.abs(p - q).mean() <= 0.01
    two_best = np.sort(p, axis=1)[:, -2:]
    clear = two_best[:, 1] - two_best[:, 0] > 0.1
    assert (p.argmax(axis=1) == q.argmax(axis=1))[clear].all()


@pytest.mark.parametrize("head", HEADS)
def test_tasks_read_as_the_checkpoint_was_trained(model: Model, head: str) -> None:
    """Tokens and segments of a task's queries are those of the reference, for every head."""
    task = {
        "nli": "text-classification",
        "sentiment": "text-classification",
        "similar": "sentence-similarity",
        "ner": "token-classification",
    }[head]
    for case in HEADS[head]["cases"]:
        texts = [case[name] for name in ("text", "text_pair") if name in case]
        [query] = next(model.steps(task, *texts, head=head))
        assert query.input_ids.tolist() == case["input_ids"]
        assert query.token_type_ids.tolist() == case["token_type_ids"]
