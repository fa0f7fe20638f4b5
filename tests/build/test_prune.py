"""A pruned model is the same model with less in it, and says what that cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import qingyu
from qingyu.build.pipeline import Options, build
from qingyu.build.shrink.prune import Pruning
from qingyu.build.shrink.vocabulary import VocabularyChoice
from qingyu.bundle import Manifest
from qingyu.engine.network import Network
from qingyu.errors import BuildError
from qingyu.query import Query

GOLDEN = Path(__file__).parent.parent / "golden"
CHECKPOINTS = GOLDEN / "checkpoints"
IDS = np.array([3, 20, 30, 40, 5, 60, 4])


def smaller(name: str, folder: Path, precision: str = "fp32", **pruning: object) -> Manifest:
    options = Options(
        precision=precision, measure=False, min_agreement=0, pruning=Pruning(**pruning)  # type: ignore[arg-type]
    )  # fmt: skip
    return build(CHECKPOINTS / name, folder / "out", options).manifest


def states(manifest: Manifest, ids: np.ndarray[tuple[int], np.dtype[np.int64]] = IDS) -> np.ndarray:  # type: ignore[type-arg]
    query = Query(ids, np.zeros_like(ids), np.arange(len(ids)))
    return Network(manifest).run([query])[0]


@pytest.mark.parametrize(
    "name", ["bert-masked-lm", "roberta-masked-lm", "distilbert-masked-lm", "electra-masked-lm"]
)
@pytest.mark.parametrize("precision", ["fp32", "int8", "int4", "fp16"])
def test_every_cut_at_once(name: str, precision: str, tmp_path: Path) -> None:
    """Layers, heads, units and positions together, in any family, still answer."""
    manifest = smaller(
        name, tmp_path, precision, layers=(1,), heads=3, feed_forward=40, positions=64
    )
    sizes = manifest.sizes
    assert (sizes.num_layers, sizes.num_heads, sizes.intermediate_size) == (1, 3, 40)
    assert sizes.max_positions == 64
    assert np.isfinite(states(manifest)).all()


def test_dropping_nothing_changes_nothing(tmp_path: Path, built: Callable[..., Manifest]) -> None:
    """All layers, heads, units and positions kept give the very answers of the whole model."""
    manifest = smaller(
        "bert-masked-lm", tmp_path, layers=(0, 1), heads=4, feed_forward=64, positions=512
    )
    np.testing.assert_array_equal(states(manifest), states(built("bert-masked-lm")))


def test_shorter_positions_keep_short_texts(tmp_path: Path, built: Callable[..., Manifest]) -> None:
    """A text that fits the shorter table has the same hidden states, RoBERTa's offset included."""
    for name in ("bert-masked-lm", "roberta-masked-lm"):
        folder = tmp_path / name
        folder.mkdir()
        np.testing.assert_allclose(
            states(smaller(name, folder, positions=16)), states(built(name)), atol=1e-6
        )


def test_the_weakest_unit_goes(tmp_path: Path, built: Callable[..., Manifest]) -> None:
    """Fewer units cost more: the magnitude that decides is of use."""
    whole = states(built("bert-masked-lm"))
    errors = []
    for kept in (60, 16):
        folder = tmp_path / str(kept)
        folder.mkdir()
        pruned = states(smaller("bert-masked-lm", folder, feed_forward=kept))
        errors.append(np.abs(pruned - whole).mean())
    assert 0 < errors[0] < errors[1]


@pytest.mark.parametrize("name", ["bert-masked-lm", "xlm-roberta-masked-lm", "t5-tied"])
def test_fewer_words(name: str, tmp_path: Path) -> None:
    """Embedding, head and tokenizer shrink together: the words kept have the states they had,
    special tokens are known, and the share of unknown tokens is told.
    """
    corpus = GOLDEN / "sentences.txt"
    options = Options(
        precision="fp32", measure=False, words=VocabularyChoice(corpus, 220), min_agreement=0
    )
    small = build(CHECKPOINTS / name, tmp_path / "small", options)
    large = build(CHECKPOINTS / name, tmp_path / "large", Options(precision="fp32", measure=False))
    assert small.manifest.sizes.vocab_size <= 220 < large.manifest.sizes.vocab_size
    assert small.report.vocabulary is not None
    assert small.report.vocabulary["unknown_after"] >= small.report.vocabulary["unknown_before"]
    fewer, all_of_them = (qingyu.load(built.path).tokenizer for built in (small, large))
    words = [fewer.id_to_token(i) for i in range(0, fewer.vocab_size, 9)]
    ids = [
        np.array([tokenizer.token_to_id(word) for word in words])
        for tokenizer in (fewer, all_of_them)
    ]
    assert ids[0].max() < ids[1].max()
    frames = [
        [tokenizer.id_to_token(int(i)) for i in tokenizer.framed([])[0]]
        for tokenizer in (fewer, all_of_them)
    ]
    assert frames[0] == frames[1]
    np.testing.assert_allclose(
        states(small.manifest, ids[0]), states(large.manifest, ids[1]), atol=1e-5
    )


def test_a_list_of_words(tmp_path: Path) -> None:
    """A list without a count keeps just its own pieces and the special tokens."""
    path = tmp_path / "words.txt"
    path.write_text("今天\n天气\n", "utf-8")
    options = Options(precision="fp32", measure=False, words=VocabularyChoice(path))
    built = build(CHECKPOINTS / "bert-masked-lm", tmp_path / "out", options)
    tokenizer = qingyu.load(built.path).tokenizer
    assert tokenizer.vocab_size == built.manifest.sizes.vocab_size == 8
    assert tokenizer.tokens("北京").ids == [tokenizer.token_to_id("[UNK]")] * 2
    answer = qingyu.load(built.path).fill_mask("今天[MASK]气", top_k=2)
    assert {candidate.token for candidate in answer.masks[0].candidates} <= {"今", "天", "气"}


@pytest.mark.parametrize(
    ("name", "pruning"),
    [
        ("bert-masked-lm", {"layers": (0, 2)}),
        ("bert-masked-lm", {"layers": (1, 0)}),
        ("bert-masked-lm", {"layers": ()}),
        ("bert-masked-lm", {"heads": 5}),
        ("bert-masked-lm", {"feed_forward": 0}),
        ("bert-masked-lm", {"positions": 513}),
        ("albert-masked-lm", {"layers": (0,)}),
        ("mobilebert-masked-lm", {"heads": 1}),
        ("t5-tied", {"layers": (0,)}),
    ],
)
def test_what_cannot_be_cut(name: str, pruning: dict[str, object], tmp_path: Path) -> None:
    """More than there is, out of order, or of a family whose layers are no such thing."""
    with pytest.raises(BuildError, match="prune"):
        smaller(name, tmp_path, **pruning)
    assert list(tmp_path.iterdir()) == []


def test_byte_pairs_cannot_lose_words(tmp_path: Path) -> None:
    """Words of a byte-level BPE are made of each other: pruning them is refused, not botched."""
    options = Options(
        precision="fp32", measure=False, words=VocabularyChoice(GOLDEN / "sentences.txt", 100)
    )
    with pytest.raises(BuildError, match="BPE"):
        build(CHECKPOINTS / "roberta-masked-lm", tmp_path / "out", options)
    assert list(tmp_path.iterdir()) == []
