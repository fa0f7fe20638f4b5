"""An encoder-decoder written by Qingyu reads, scores and writes as transformers does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qingyu.build.families.t5 import buckets
from qingyu.bundle import Manifest
from qingyu.engine.generate import Decoder, best
from qingyu.engine.network import Network
from qingyu.query import Generation, Query

GOLDEN = Path(__file__).parent.parent / "golden"
NAMES = ["t5-tied", "mt5-untied"]
LIMIT, BEAMS = 20, 4

Case = dict[str, np.ndarray[Any, Any]]


def cases(name: str) -> dict[str, Case]:
    found: dict[str, Case] = {}
    with np.load(GOLDEN / f"{name}.npz") as file:
        for key, array in file.items():
            case, part = key.split(".")
            found.setdefault(case, {})[part] = array
    return found


def rows(case: Case) -> list[Query]:
    """The texts of a case without their padding, asked at all positions."""
    queries = []
    for ids, mask in zip(case["input_ids"], case["attention_mask"], strict=True):
        kept = ids[mask.astype(bool)].astype(np.int64)
        queries.append(Query(kept, np.zeros_like(kept), np.arange(len(kept)), "text2text"))
    return queries


def written(generated: np.ndarray[Any, Any]) -> list[int]:
    """Token ids of one hypothesis, as Qingyu or (start token first) transformers gives it."""
    return [int(token) for token in generated if token >= 0]


def expected(ids: np.ndarray[Any, Any], end: int = 1) -> list[int]:
    tokens = [int(token) for token in ids[1:]]
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens


@pytest.mark.parametrize("name", NAMES)
def test_the_encoder_equals_transformers(name: str, built: Callable[..., Manifest]) -> None:
    """Hidden states within 1e-4: one text, sentinels, mixed lengths at once, 512 tokens."""
    network = Network(built(name))
    for case in cases(name).values():
        plain = [Query(q.input_ids, q.token_type_ids, q.positions) for q in rows(case)]
        for states, truth, query in zip(
            network.run(plain), case["last_hidden_state"], plain, strict=True
        ):
            inside = case["positions"] < len(query.input_ids)
            np.testing.assert_allclose(
                states[case["positions"][inside]], truth[inside], atol=1e-4, rtol=1e-4
            )


@pytest.mark.parametrize("name", NAMES)
def test_the_decoder_equals_transformers(name: str, built: Callable[..., Manifest]) -> None:
    """Led through given tokens, every step's scores, with the cache, are within 1e-4."""
    manifest = built(name)
    network, decoder = Network(manifest), Decoder(manifest.path, manifest.heads["text2text"])
    for case in cases(name).values():
        for index, query in enumerate(rows(case)):
            (states,) = network.run([Query(query.input_ids, query.token_type_ids, query.positions)])
            tokens = case["decoder_input_ids"][index].tolist()
            logits = decoder.follow(states, [*tokens[1:], 0])
            np.testing.assert_allclose(logits, case["logits"][index], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_tokens_are_written(name: str, built: Callable[..., Manifest]) -> None:
    """Greedy search and all hypotheses of beam search: the same tokens and scores."""
    network = Network(built(name))
    for case in cases(name).values():
        for index, query in enumerate(rows(case)):
            greedy, beam = (
                network.run([ask(query, Generation(LIMIT, beams, beams))])[0]
                for beams in (1, BEAMS)
            )
            assert written(greedy[0, 1:]) == expected(case["greedy_ids"][index])
            for row, ids in zip(beam, case["beam_ids"][index], strict=True):
                assert written(row[1:]) == expected(ids)
            np.testing.assert_allclose(beam[:, 0], case["beam_scores"][index], atol=1e-4)


def ask(query: Query, generation: Generation) -> Query:
    return Query(query.input_ids, query.token_type_ids, query.positions, query.head, generation)


@pytest.mark.parametrize("precision", ["int8", "int4", "bf16"])
def test_smaller_precisions_stay_close(precision: str, built: Callable[..., Manifest]) -> None:
    """The decoder's scores, led through the same tokens, keep their direction."""
    scores = []
    for kind in ("fp32", precision):
        manifest = built("t5-tied", kind)
        (case,) = [cases("t5-tied")["short"]]
        (query,) = rows(case)
        plain = Query(query.input_ids, query.token_type_ids, query.positions)
        (states,) = Network(manifest).run([plain])
        decoder = Decoder(manifest.path, manifest.heads["text2text"])
        scores.append(decoder.follow(states, [5, 6, 7]).ravel())
    cosine = scores[0] @ scores[1] / np.linalg.norm(scores[0]) / np.linalg.norm(scores[1])
    assert cosine > 0.95


def test_buckets_grow_with_distance() -> None:
    """Near distances have buckets of their own, far ones share; two sides never share one."""
    distances = np.arange(-200, 201)
    two = buckets(distances, 32, 128, two_sided=True)
    assert two[200] == 0
    assert set(two[:200]).isdisjoint(two[201:])
    assert two.max() == 31
    one = buckets(-np.arange(200), 32, 128, two_sided=False)
    assert one[:16].tolist() == list(range(16))
    assert (np.diff(one) >= 0).all()
    assert one[-1] == 31


def test_of_equal_scores_the_first_is_taken() -> None:
    """Ties have an order, so that a search is always the same."""
    scores = np.array([[1.0, 3.0, 3.0], [3.0, 0.0, 2.0]])
    assert best(scores, 4) == [(0, 1), (0, 2), (1, 0), (1, 2)]
