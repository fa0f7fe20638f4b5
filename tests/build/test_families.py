"""Graphs written by Qingyu answer as transformers does, for every family and task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qingyu.bundle import WEIGHTS, Manifest
from qingyu.engine.network import Network

GOLDEN = Path(__file__).parent.parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.npz") if "t5" not in path.stem)
NAMES.remove("default-fill-mask")

TOLERANCE = 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_fp32_equals_transformers(
    name: str, built: Callable[..., Manifest], golden: Callable[..., Any]
) -> None:
    """Single texts, pairs with segment ids, a batch of mixed lengths and 512 tokens, all packed
    into common batches, give the hidden states and the logits that transformers gives.
    """
    manifest = built(name)
    queries, expected = zip(*golden(manifest, name), strict=True)
    assert {query.head for query in queries} == {"", *manifest.heads}
    for query, answer, truth in zip(queries, Network(manifest).run(queries), expected, strict=True):
        np.testing.assert_allclose(
            answer, truth, atol=TOLERANCE, rtol=TOLERANCE, err_msg=query.head
        )


@pytest.mark.parametrize("name", NAMES)
def test_int8_stays_close(
    name: str, built: Callable[..., Manifest], golden: Callable[..., Any]
) -> None:
    """INT8 moves hidden states little: these weights are random and wide, the worst to quantise."""
    manifest = built(name, "int8")
    asked = [(query, truth) for query, truth in golden(manifest, name) if not query.head]
    answers = Network(manifest).run([query for query, _ in asked])
    a = np.concatenate(answers)
    b = np.concatenate([truth for _, truth in asked])
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.mean() > 0.99


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_answer_does_not_depend_on_its_batch(
    precision: str, built: Callable[..., Manifest], golden: Callable[..., Any]
) -> None:
    """Alone or among others, a query has the same answer; INT8 the same to the last bit."""
    manifest = built("bert-masked-lm", precision)
    queries = [query for query, _ in golden(manifest, "bert-masked-lm")]
    network = Network(manifest)
    together = network.run(queries)
    for query, answer in zip(queries, together, strict=True):
        np.testing.assert_allclose(network.run([query])[0], answer, atol=1e-5)


def test_albert_stores_a_shared_layer_once(built: Callable[..., Manifest]) -> None:
    """Three layers of shared weights weigh less than two of BERT's own, of the same width."""
    shared, own = built("albert-masked-lm"), built("bert-masked-lm")
    assert shared.sizes.num_layers > own.sizes.num_layers
    layer = 4 * (4 * 32 * 32 + 2 * 32 * 64)
    assert shared.files[WEIGHTS].bytes < own.files[WEIGHTS].bytes - layer


def test_heads_and_their_labels_are_found(built: Callable[..., Manifest]) -> None:
    """The task, its labels in order and what its logits mean come from the checkpoint alone."""
    nli = built("bert-nli").heads["classification"]
    assert (nli.kind, nli.problem) == ("sequence-classification", "single_label")
    assert set(nli.labels) == {"entailment", "neutral", "contradiction"}
    assert built("bert-multi-label").heads["classification"].problem == "multi_label"
    assert built("bert-regression").heads["classification"].problem == "regression"
    assert built("bert-ner").heads["tags"].kind == "token-classification"
    assert list(built("electra-masked-lm").heads) == ["fill-mask"]
    assert built("bert-encoder").heads == {}
