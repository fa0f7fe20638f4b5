"""Pieces of a text that a model reads at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qingyu.text.sentences import pieces


def cut(text: str, most: int) -> list[str]:
    """The pieces of a text whose tokens are its characters."""
    spans = pieces(text, [(i, i + 1) for i in range(len(text))], most)
    return [text[start:end] for start, end in spans]


def test_sentences_stay_whole() -> None:
    """Neighbouring sentences share a piece while they fit, with the quotes that close after."""
    assert cut("他说：“好。”她走了。天黑了！", 9) == ["他说：“好。”", "她走了。天黑了！"]
    assert cut("一二三。\n四五六。", 5) == ["一二三。\n", "四五六。"]


def test_a_long_sentence_is_cut_after_a_clause() -> None:
    """Where a sentence does not fit, a comma is a better place than none."""
    assert cut("一二三四五，六七八九十", 8) == ["一二三四五，", "六七八九十"]
    assert cut("一二三四五六七八九十", 4) == ["一二三四", "五六七八九十"[0:4], "九十"]


@given(st.text(alphabet="天地。，！“”\n. a", max_size=60), st.integers(1, 12))
def test_pieces_are_the_text(text: str, most: int) -> None:
    """Nothing is lost, doubled or longer than asked for."""
    found = cut(text, most)
    assert "".join(found) == text
    assert all(0 < len(piece) <= most for piece in found)
