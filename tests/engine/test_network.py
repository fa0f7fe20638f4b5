"""The engine: an answer depends on its query alone, whatever it was batched with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qingyu import bundle
from qingyu.engine.batch import cut, pack
from qingyu.engine.network import Network
from qingyu.errors import BundleError
from qingyu.query import Query

WITHIN = 1e-4
HEADS = ["", "fill-mask", "nli", "sentiment", "similar", "ner"]


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(bundle.read_manifest(bundle.find(bundle.DEFAULT)))


def queries() -> st.SearchStrategy[Query]:
    """Any tokens, up to 48 of them, asked about at any places for any head."""

    def build(length: int, seed: int, head: str) -> Query:
        draw = np.random.default_rng(seed)
        ids = draw.integers(5, 12_000, length)
        types = (np.arange(length) >= draw.integers(1, length + 1)).astype(np.int64)
        asked = np.sort(draw.choice(length, draw.integers(1, min(length, 4) + 1), replace=False))
        return Query(ids, types, asked.astype(np.int64), head)

    return st.builds(build, st.integers(1, 48), st.integers(0, 2**32), st.sampled_from(HEADS))


@settings(max_examples=8)
@given(st.lists(queries(), min_size=2, max_size=6), st.integers(1, 200))
def test_alone_or_in_any_batch(network: Network, asked: list[Query], max_tokens: int) -> None:
    """Every query gets its own answer, to 1e-4 the same alone, in any order, in any batch."""
    alone = [network.run([query])[0] for query in asked]
    order = np.random.default_rng(len(asked) + max_tokens).permutation(len(asked))
    together = network.run([asked[i] for i in order], max_tokens)
    for place, i in enumerate(order):
        assert together[place].shape == alone[i].shape
        assert together[place].dtype == np.float32
        if asked[i].head == "fill-mask":  # probabilities are what a person sees
            np.testing.assert_allclose(
                np.exp(together[place] - together[place].max(axis=1, keepdims=True)),
                np.exp(alone[i] - alone[i].max(axis=1, keepdims=True)),
                atol=WITHIN,
            )
        np.testing.assert_allclose(together[place], alone[i], atol=1e-3)


def test_the_last_bit_is_the_same_too(network: Network) -> None:
    """A text is answered identically beside a longer one: not one bit depends on the company."""
    draw = np.random.default_rng(0)
    lengths = [int(n) for n in draw.integers(5, 60, 150)]
    asked = [
        Query(draw.integers(5, 12_000, n), np.zeros(n, np.int64), np.array([n // 2]), "fill-mask")
        for n in lengths
    ]
    together = network.run(asked, max_batch_tokens=600)
    for query, answer in zip(asked, together, strict=True):
        assert np.array_equal(network.run([query])[0], answer)


def test_each_head_answers_in_its_width(network: Network) -> None:
    """Answers are [positions, outputs]: hidden size, vocabulary or labels."""
    manifest = bundle.read_manifest(bundle.find(bundle.DEFAULT))
    widths = {"": manifest.sizes.hidden_size, "fill-mask": manifest.sizes.vocab_size}
    widths |= {name: len(head.labels) for name, head in manifest.heads.items() if head.labels}
    ids = np.array([2, 100, 200, 3])
    asked = [Query(ids, np.zeros(4, np.int64), np.array([0, 2]), head) for head in widths]
    answers = network.run(asked)
    assert [answer.shape for answer in answers] == [(2, width) for width in widths.values()]


def test_nothing_asked(network: Network) -> None:
    """No query, no answer."""
    assert network.run([]) == []


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 400))
def test_batches_hold_every_query_once(lengths: list[int], max_tokens: int) -> None:
    """Batches are a partition, like lengths together, none above the limit but a lone long one."""
    asked = [_blank(length) for length in lengths]
    batches = list(cut(asked, max_tokens))
    assert sorted(i for batch in batches for i in batch) == list(range(len(asked)))
    costs = [[lengths[i] for i in batch] for batch in batches]
    assert all(sum(batch) <= max_tokens or len(batch) == 1 for batch in costs)
    flat = [cost for batch in costs for cost in batch]
    assert flat == sorted(flat)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 5)), min_size=1, max_size=12))
def test_packing_can_be_undone(shapes: list[tuple[int, int]]) -> None:
    """Every token and every asked row has one cell of its rectangle, and finds itself there."""
    asked = [
        Query(np.arange(n) + 100 * i, np.zeros(n, np.int64), np.arange(k) % n)
        for i, (n, k) in enumerate(shapes)
    ]
    feeds = pack(asked)
    ids = np.concatenate([query.input_ids for query in asked])
    assert feeds["input_ids"].tolist() == ids.tolist()
    assert feeds["lengths"].tolist() == [n for n, _ in shapes]
    tokens = len(ids)
    assert feeds["grid"].ravel()[feeds["cells"]].tolist() == list(range(tokens))
    assert (feeds["position_ids"] == ids % 100).all()
    rows = np.concatenate([query.input_ids[query.positions] for query in asked])
    assert feeds["input_ids"][feeds["rows"]].tolist() == rows.tolist()
    assert feeds["row_grid"].ravel()[feeds["row_cells"]].tolist() == list(range(len(rows)))


def test_a_damaged_graph_is_a_bundle_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A graph that cannot be read is told by its path, not by a stack from the runtime."""
    manifest = bundle.read_manifest(bundle.find(bundle.DEFAULT))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / bundle.ENCODER).write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"encoder\.(onnx|safetensors)"):
        Network(bundle.Manifest(**{**vars(manifest), "path": folder}))


def _blank(length: int) -> Query:
    ids = np.zeros(length, np.int64)
    return Query(ids, ids, np.zeros(1, np.int64))
