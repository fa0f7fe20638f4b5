"""Packed rows and masking: nothing lost, nothing mixed up, the same part every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from training.data import Mixture, Piece, Recipe, Rows, encode, inside_words, pack
from training.errors import RecipeError
from training.masking import Special, choose, mask, one_of_each
from training.sources import Source

CLS, SEP = 2, 3


def texts_of(rows: Rows) -> list[tuple[int, ...]]:
    """The texts in the rows without their frames, in sorted order."""
    found = []
    for ids, doc in zip(rows.ids, rows.doc, strict=True):
        found += [tuple(ids[doc == number][1:-1].tolist()) for number in range(1, doc.max() + 1)]
    return sorted(found)


def piece_of(ids: list[int], focus: list[int] | None = None) -> Piece:
    """A piece in which nothing is asked of words."""
    zeros = np.zeros(len(ids), np.uint8)
    marked = zeros if focus is None else np.array(focus, np.uint8)
    return Piece(np.array(ids, np.uint16), marked, zeros > 0)


@given(st.lists(st.lists(st.integers(5, 90), min_size=1, max_size=14), min_size=1, max_size=40))
def test_packing_keeps_every_text_whole(texts: list[list[int]]) -> None:
    """Rows hold exactly the texts put in, each framed, numbered, and counted from position 0."""
    pieces = [piece_of(t) for t in texts]
    rows = pack(pieces, 16, CLS, SEP)
    assert texts_of(rows) == sorted(tuple(t) for t in texts)
    for ids, doc, pos in zip(rows.ids, rows.doc, rows.pos, strict=True):
        assert not ids[doc == 0].any()
        assert (np.diff(doc[doc > 0].astype(int)) >= 0).all()
        for number in range(1, doc.max() + 1):
            framed = ids[doc == number]
            assert framed[0] == CLS
            assert framed[-1] == SEP
            assert pos[doc == number].tolist() == list(range(len(framed)))


def test_packing_wastes_little() -> None:
    """Texts of mixed lengths fill at least nine tenths of the rows."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(4, 60, 500)
    pieces = [piece_of([9] * n) for n in lengths]
    rows = pack(pieces, 64, CLS, SEP)
    assert (rows.doc > 0).mean() > 0.9


def test_focus_numbers_differ_within_a_row() -> None:
    """Two focused texts packed into one row keep their stretches apart."""
    piece = piece_of([9, 10, 11], [0, 1, 1])
    rows = pack([piece, piece], 16, CLS, SEP)
    assert len(rows) == 1
    assert rows.focus[0].tolist() == [0, 0, 1, 1, 0, 0, 0, 2, 2, 0] + [0] * 6


def test_a_text_too_long_is_cut_into_pieces(vocabulary: Path) -> None:
    """Tokens beyond the row go into further pieces; none is lost, focus follows its characters."""
    tokenizer = Tokenizer.from_file(str(vocabulary / "tokenizer.json"))
    text = "床前明月光，疑是地上霜。"
    pieces = list(encode(tokenizer, [text], [[(7, 10)]], 5))
    tokens = [tokenizer.id_to_token(int(i)) for piece in pieces for i in piece.ids]
    assert "".join(map(str, tokens)) == text
    assert [len(piece.ids) for piece in pieces] == [5, 5, 2]
    focus = np.concatenate([piece.focus for piece in pieces])
    assert [t for t, f in zip(tokens, focus, strict=True) if f] == list("是地上")


def recipe(lines: Path, vocabulary: Path, **changes: object) -> Recipe:
    fields: dict[str, object] = {
        "sources": (Source(str(lines), 1.0),),
        "tokenizer": str(vocabulary / "tokenizer.json"),
        "part_bytes": 8192,
    }
    return Recipe(**(fields | changes))  # type: ignore[arg-type]


def test_a_part_is_the_same_every_time(lines: Path, vocabulary: Path) -> None:
    """Part n depends on the recipe and n alone, so workers and resumed runs agree; seeds differ."""
    first, again = (Mixture(recipe(lines, vocabulary)).part(3, 64) for _ in range(2))
    other = Mixture(recipe(lines, vocabulary, seed=1)).part(3, 64)
    assert all(
        (getattr(first, n) == getattr(again, n)).all() for n in ("ids", "doc", "pos", "focus")
    )
    assert texts_of(first) != texts_of(other)


def test_an_epoch_reads_each_line_once(lines: Path, vocabulary: Path, sentences: list[str]) -> None:
    """Parts that cover a file exactly hold each of its texts once."""
    whole = Mixture(recipe(lines, vocabulary, part_bytes=lines.stat().st_size, width_rate=0.0))
    found = texts_of(whole.part(0, 64))
    assert len(found) == len(sentences)
    assert found == texts_of(whole.part(1, 64))


def test_weights_set_the_shares(tmp_path: Path, vocabulary: Path) -> None:
    """Two sources at 3 to 1 give about three times as much text of the first as of the second."""
    for name, character in (("a", "山"), ("b", "水")):
        (tmp_path / f"{name}.txt").write_text(f"{character * 20}\n" * 2000, encoding="utf-8")
    sources = (Source(str(tmp_path / "a.txt"), 3.0), Source(str(tmp_path / "b.txt"), 1.0))
    mixture = Mixture(recipe(tmp_path, vocabulary, sources=sources, part_bytes=80_000))
    ids = mixture.part(0, 64).ids
    a, b = ((ids == mixture.tokenizer.token_to_id(c)).sum() for c in "山水")
    assert 2.5 < a / b < 3.5


def test_held_out_text_is_left_out(tmp_path: Path, lines: Path, vocabulary: Path) -> None:
    """A line of a held-out file does not reach the rows, though a source holds it."""
    held = "慈母手中线，游子身上衣。"
    (tmp_path / "valid.txt").write_text(held + "\n", encoding="utf-8")
    size = lines.stat().st_size
    with_it = Mixture(recipe(lines, vocabulary, part_bytes=size))
    without = Mixture(
        recipe(lines, vocabulary, part_bytes=size, held_out=(str(tmp_path / "valid.txt"),))
    )
    assert len(texts_of(with_it.part(0, 64))) - len(texts_of(without.part(0, 64))) == 1


def test_nothing_left_to_read_is_an_error(lines: Path, vocabulary: Path) -> None:
    """A recipe whose text is all held out says so instead of looping."""
    with pytest.raises(RecipeError, match="no text left"):
        Mixture(recipe(lines, vocabulary, held_out=(str(lines),))).part(0, 64)
    with pytest.raises(RecipeError, match="at least one --source"):
        Mixture(recipe(lines, vocabulary, sources=()))


def rows_and_special(lines: Path, vocabulary: Path) -> tuple[Rows, Special]:
    mixture = Mixture(recipe(lines, vocabulary, part_bytes=lines.stat().st_size))
    return mixture.part(0, 64), Special.of(mixture.tokenizer.get_vocab())


@pytest.mark.parametrize("span_share", [0.0, 0.5, 1.0])
def test_masking_takes_its_rate_of_ordinary_tokens(
    lines: Path, vocabulary: Path, span_share: float
) -> None:
    """Each row asks for a fifth of its ordinary tokens, never for a frame or padding."""
    rows, special = rows_and_special(lines, vocabulary)
    chosen = choose(rows, special, np.random.default_rng(0), 0.2, span_share)
    ordinary = (rows.doc > 0) & (rows.ids > 4)
    assert not (chosen & ~ordinary).any()
    assert (chosen.sum(1) == np.maximum(1, np.rint(0.2 * ordinary.sum(1)))).all()


def test_spans_hide_neighbours_and_singles_do_not(lines: Path, vocabulary: Path) -> None:
    """With runs a hidden token's neighbour is hidden far more often than without."""
    rows, special = rows_and_special(lines, vocabulary)

    def together(span_share: float) -> float:
        chosen = choose(rows, special, np.random.default_rng(0), 0.2, span_share)
        return float((chosen[:, 1:] & chosen[:, :-1]).sum() / chosen.sum())

    assert together(1.0) > 2 * together(0.0)


def test_runs_never_split_a_word_and_end_with_their_text() -> None:
    """In a row of runs a "##" piece is hidden with its word, and two texts never share a run."""
    continues = np.zeros(20, bool)
    continues[14] = True
    special = Special(4, 5, continues, np.array([0, 1, 2, 3, 4]))

    def chosen(ids: list[int], doc: list[int], rate: float) -> np.ndarray:
        zeros = np.zeros((300, len(ids)), np.uint8)
        texts, docs = np.array([ids] * 300, np.uint16), np.array([doc] * 300, np.uint8)
        rows = Rows(texts, docs, zeros, zeros, zeros > 0)
        return choose(rows, special, np.random.default_rng(1), rate, 1.0)

    words = chosen([2, 13, 14, 13, 14, 13, 14, 13, 14, 3], [1] * 10, 0.5)
    assert (words.sum(1) == 4).all()
    assert (words[:, 1:9:2] == words[:, 2:9:2]).all()
    # Each of two one-token texts has its turn; in a shared run the first would have them all.
    texts = chosen([2, 10, 3, 2, 11, 3], [1, 1, 1, 2, 2, 2], 0.5)
    assert 0.3 < texts[:, 4].mean() < 0.7


def test_words_are_told_apart_by_a_list() -> None:
    """A word goes on after its first character; what is in no word stands alone."""
    pytest.importorskip("jieba", reason="words come from jieba's list")
    assert inside_words("他在图书馆学习。").tolist() == [0, 0, 0, 1, 1, 0, 1, 0]
    assert inside_words("").tolist() == []


def test_whole_words_are_hidden_whole(lines: Path, vocabulary: Path) -> None:
    """With words told apart a hidden run is one word; only where the number of tokens to hide runs
    out is the last one cut.
    """
    pytest.importorskip("jieba", reason="words come from jieba's list")
    asked = recipe(lines, vocabulary, part_bytes=lines.stat().st_size, whole_words=True)
    mixture = Mixture(asked)
    rows, special = mixture.part(0, 64), Special.of(mixture.tokenizer.get_vocab())
    assert rows.inner.any()
    assert not (rows.inner & (rows.ids <= SEP)).any()
    chosen = choose(rows, special, np.random.default_rng(0), 0.2, 1.0, whole_words=True)
    cut = (chosen[:, 1:] != chosen[:, :-1]) & rows.inner[:, 1:]
    assert (cut.sum(1) <= 1).all()
    by_chance = choose(rows, special, np.random.default_rng(0), 0.2, 1.0)
    assert ((by_chance[:, 1:] != by_chance[:, :-1]) & rows.inner[:, 1:]).sum() > 2 * cut.sum()


def test_one_token_of_each_focus_stretch_is_asked() -> None:
    """Exactly one token of every stretch is chosen, and every token has its turn."""
    focus = np.array([[0, 1, 1, 1, 0, 2, 2, 0], [3, 3, 0, 0, 0, 0, 1, 1]], np.uint8)
    turns = np.zeros(focus.shape, int)
    for seed in range(60):
        chosen = one_of_each(focus, np.random.default_rng(seed))
        assert chosen.sum() == 4
        assert [chosen[0, 1:4].sum(), chosen[0, 5:7].sum()] == [1, 1]
        turns += chosen
    assert (turns[focus > 0] > 0).all()


def test_singles_ask_for_the_focus_first(vocabulary: Path, tmp_path: Path) -> None:
    """With single masking an idiom loses one character and keeps the others in sight."""
    path = tmp_path / "idioms.txt"
    path.write_text("半途而废\n画龙点睛\n亡羊补牢\n" * 20, encoding="utf-8")
    mixture = Mixture(recipe(path, vocabulary, sources=(Source(str(path), 1.0, "idioms"),)))
    rows = mixture.part(0, 64)
    special = Special.of(mixture.tokenizer.get_vocab())
    chosen = choose(rows, special, np.random.default_rng(0), 0.2, 0.0)
    per_idiom = [
        int((chosen[row] & (rows.focus[row] == number)).sum())
        for row in range(len(rows))
        for number in range(1, rows.focus[row].max() + 1)
    ]
    assert np.mean(np.array(per_idiom) == 1) > 0.8
    assert max(per_idiom) <= 2


def test_masking_hides_as_bert_does(lines: Path, vocabulary: Path) -> None:
    """Of the asked tokens 80 % become [MASK], 10 % another, 10 % stay; no other is touched."""
    rows, special = rows_and_special(lines, vocabulary)
    inputs, targets = mask(rows, special, np.random.default_rng(0))
    asked = targets > 0
    assert (targets[asked] == rows.ids[asked]).all()
    assert (inputs[~asked] == rows.ids[~asked]).all()
    masked = (inputs[asked] == special.mask).mean()
    kept = (inputs[asked] == rows.ids[asked]).mean()
    assert 0.75 < masked < 0.85
    assert 0.07 < kept < 0.13
    assert (inputs[asked & (inputs != special.mask)] >= special.first).all()
