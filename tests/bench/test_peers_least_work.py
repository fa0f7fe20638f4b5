"""What the peers' benchmark gives its peers, and how it counts the least work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bench.peers.least_work import Work, least
from bench.peers.workloads import MOST, WORKLOADS, Workload, judged, read_lines, texts_for, tokens
from qingyu import bundle
from qingyu.bundle import DEFAULT

LINES = read_lines(Path(__file__).parents[1] / "golden" / "sentences.txt")
CONFIG = {
    "model_type": "bert",
    "hidden_size": 4,
    "intermediate_size": 10,
    "num_hidden_layers": 3,
    "vocab_size": 100,
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(bundle.find(DEFAULT) / bundle.TOKENIZER))


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda one: one.name)
def test_texts_have_the_tokens_their_workload_says(
    workload: Workload, tokenizer: Tokenizer
) -> None:
    """The tokeniser itself counts the length asked for, and one mask."""
    texts = texts_for(workload, LINES)
    assert len(texts) == workload.batch * workload.batches
    for text in texts:
        ids = tokenizer.encode(text).ids
        assert len(ids) == tokens(text)
        assert len(ids) == workload.length or (not workload.length and len(ids) <= MOST + 2)
        assert ids.count(tokenizer.token_to_id("[MASK]")) == 1


def test_texts_without_masks_are_as_long() -> None:
    """Embeddings are measured on texts of the same lengths, with no mask in them."""
    for workload in WORKLOADS:
        with_masks, without = (texts_for(workload, LINES, masks) for masks in (True, False))
        assert [tokens(text) for text in with_masks] == [tokens(text) for text in without]
        assert not any("[MASK]" in text for text in without)


def test_texts_are_the_same_each_time() -> None:
    """Two runs measure the same texts, or their figures could not be compared."""
    assert judged(LINES) == judged(LINES)
    assert all(texts_for(one, LINES) == texts_for(one, LINES) for one in WORKLOADS)


def checkpoint(folder: Path, **changes: object) -> Path:
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    return folder


def counted(length: int, hidden: int, wide: int, layers: int, vocabulary: int) -> Work:
    """The same by naming every product of one text with its rows, inner size and columns."""
    products = []
    for layer in range(layers):
        rows = length if layer < layers - 1 else 1
        products += [(length, hidden, hidden)] * 2 + [(rows, hidden, hidden)] * 2
        products += [(rows, hidden, length), (rows, length, hidden)]
        products += [(rows, hidden, wide), (rows, wide, hidden)]
    products += [(1, hidden, hidden), (1, hidden, vocabulary)]
    operations = sum(2 * a * b * c for a, b, c in products)
    matrices = layers * (4 * hidden * hidden + 2 * hidden * wide)
    table = length * hidden + hidden * hidden + hidden * vocabulary
    return Work(float(operations), float(matrices + table))


@given(st.integers(1, 600))
def test_least_work_is_that_of_every_product(
    tmp_path_factory: pytest.TempPathFactory, length: int
) -> None:
    """The formula agrees with a list of the products of one text, at any length."""
    folder = checkpoint(tmp_path_factory.mktemp("checkpoint"))
    assert least(folder, [length]) == counted(length, 4, 10, 3, 100)


def test_least_work_of_a_batch_shares_the_weights(tmp_path: Path) -> None:
    """Operations add up over the texts of a batch, and weights are read once."""
    folder = checkpoint(tmp_path)
    one, two, both = (least(folder, lengths) for lengths in ([5], [9], [5, 9]))
    assert both.operations == one.operations + two.operations
    shared = least(folder, [0]).bytes
    assert both.bytes == one.bytes + two.bytes - shared


def test_layers_of_albert_share_their_weights(tmp_path: Path) -> None:
    """ALBERT reads one layer's weights however many layers there are."""
    three = least(checkpoint(tmp_path, model_type="albert"), [7])
    six = least(checkpoint(tmp_path, model_type="albert", num_hidden_layers=6), [7])
    assert six.bytes == three.bytes
    assert six.operations > three.operations


def test_least_seconds_are_those_of_the_narrower_way() -> None:
    """Either the operations or the bytes take longest."""
    work = Work(operations=100.0, bytes=10.0)
    assert work.least_seconds(peak=10.0, bandwidth=10.0) == 10.0
    assert work.least_seconds(peak=1000.0, bandwidth=5.0) == 2.0
