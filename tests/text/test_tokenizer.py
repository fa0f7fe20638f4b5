"""The tokenizer: offsets in the text as sent, frames of every family, characters as tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu import bundle
from qingyu.errors import BundleError, InputError
from qingyu.text.tokenizer import Tokenizer, is_chinese

CHECKPOINTS = Path(__file__).parents[1] / "golden" / "checkpoints"
FAMILIES = ["bert-masked-lm", "bert-ner", "roberta-masked-lm", "xlm-roberta-masked-lm"]


@pytest.fixture(scope="module")
def default() -> Tokenizer:
    return Tokenizer(bundle.find(bundle.DEFAULT) / bundle.TOKENIZER)


@pytest.fixture(scope="module")
def family() -> Callable[[str], Tokenizer]:
    """The tokenizer of a tiny checkpoint, by name."""
    loaded = {name: Tokenizer(CHECKPOINTS / name / "tokenizer.json") for name in FAMILIES}
    return loaded.__getitem__


@pytest.mark.parametrize("name", FAMILIES)
@given(text=st.text(max_size=40))
def test_offsets_lie_in_the_text(name: str, text: str, family: Callable[[str], Tokenizer]) -> None:
    """Every token has its place, in order, whatever the text."""
    tokens = family(name).tokens(text)
    assert len(tokens.ids) == len(tokens.offsets)
    last = 0
    for start, end in tokens.offsets:
        assert last <= start <= end <= len(text) or start <= last  # bytes of one character share it
        last = start


@given(text=st.text(max_size=40))
def test_characters_are_tokens_of_their_own(text: str, default: Tokenizer) -> None:
    """One token a character with its own offset; only what is no character has none."""
    tokens = default.characters(text)
    assert all(end == start + 1 for start, end in tokens.offsets)
    left_out = set(range(len(text))) - {start for start, _ in tokens.offsets}
    for place in left_out:
        assert not default.tokens(f"好{text[place]}好").ids[1:-1]


def test_characters_are_spelt_as_the_vocabulary_spells(default: Tokenizer) -> None:
    """Case is folded, digits stand alone, what is unknown is unknown, spaces are passed over."""
    tokens = default.characters("A1 好🙂")
    spelt = [default.id_to_token(i) for i in tokens.ids]
    assert spelt == ["a", "1", "好", default.unk_token]
    assert tokens.offsets == [(0, 1), (1, 2), (3, 4), (4, 5)]


@pytest.mark.parametrize("name", FAMILIES)
def test_frames_are_read_off_the_tokenizer(name: str, family: Callable[[str], Tokenizer]) -> None:
    """Framing by hand gives what the tokenizer itself would give, for one text and for two."""
    tokenizer = family(name)
    first, second = "今天天气真好", "书"
    ids = tokenizer.tokens(first).ids, tokenizer.tokens(second).ids
    for framed, parts in [
        (tokenizer.framed(ids[0]), (first,)),
        (tokenizer.framed_pair(*ids), (first, second)),
    ]:
        encoding = tokenizer._tokenizer.encode(*parts)
        assert framed[0].tolist() == encoding.ids
        assert framed[1].tolist() == encoding.type_ids


def test_special_and_chinese_tokens(default: Tokenizer) -> None:
    """Special tokens are known by their flag, Chinese ones by their character."""
    assert default.mask_token == "[MASK]"
    assert default.is_special(default.mask_id or 0)
    assert not set(default.plain_ids.tolist()) & default.special_ids
    assert all(is_chinese(default.id_to_token(i)) for i in default.chinese_ids.tolist())
    assert {"好", "国"} <= {default.id_to_token(i) for i in default.chinese_ids.tolist()}
    assert [is_chinese(char) for char in "好𠮷a，あ"] == [True, True, False, False, False]


def test_surfaces_read_as_in_a_text(default: Tokenizer, family: Callable[[str], Tokenizer]) -> None:
    """The mark of a continuation and the mark of a space are no part of what is read."""
    continued = default.token_to_id("##ing")
    assert continued is None or default.surface(continued) == "ing"
    assert default.surface(default.token_to_id("好") or 0) == "好"
    unigram = family("xlm-roberta-masked-lm")
    assert not any(word.startswith("▁") and len(word) > 1 for word in unigram.surfaces)
    assert len(default.surfaces) == default.vocab_size


@pytest.mark.parametrize("text", ["\ud800", "好\udfff好"])
def test_half_a_character_is_refused(text: str, default: Tokenizer) -> None:
    """A lone surrogate is an error that says so, wherever it stands."""
    for read in (default.tokens, default.characters):
        with pytest.raises(InputError, match="surrogate"):
            read(text)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", b'{"model": 3}'])
def test_a_damaged_file_is_a_bundle_error(tmp_path: Path, content: bytes | None) -> None:
    """A tokenizer that is missing or unreadable is named by its path."""
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=r"tokenizer\.json"):
        Tokenizer(path)
