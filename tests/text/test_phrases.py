"""A phrase memory as a file: looked up, and refused where it is damaged or another tokenizer's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qingyu.bundle import EMBEDDED, TOKENIZER
from qingyu.errors import PhrasesError
from qingyu.phrases.build import build
from qingyu.phrases.spool import Spool
from qingyu.phrases.write import merge, write
from qingyu.text.phrases import (
    BOUNDARY,
    KINDS,
    MAGIC,
    REACH,
    Phrases,
    context_keys,
    squeezed,
    symbols,
)
from qingyu.text.tokenizer import Tokenizer

TEXTS = ["灵犀云枢是一台会写诗的机器。", "它把月光写成句子，把句子写成河。"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(EMBEDDED / "qingyu-small-zh" / TOKENIZER)


@pytest.fixture
def memory(tokenizer: Tokenizer, tmp_path: Path) -> Path:
    """Two sentences, counted."""
    return counted(tokenizer, tmp_path / "two.phrases", TEXTS)


def counted(tokenizer: Tokenizer, path: Path, texts: list[str]) -> Path:
    with Spool(tokenizer) as spool:
        spool.add(texts)
        write(path, build(spool), tokenizer)
    return path


def found(memory: Phrases, tokenizer: Tokenizer, text: str, at: int) -> set[str]:
    """Words that the memory has for the token at a place of a text."""
    padded, where = squeezed(symbols(tokenizer)[np.array(tokenizer.tokens(text).ids)])
    (one,) = memory.recall(context_keys(padded, where[np.array([at])]))
    return {tokenizer.surface(token) for token in one.tokens.tolist()}


def test_what_was_counted_is_found(tokenizer: Tokenizer, memory: Path) -> None:
    """Every token of the texts is among what its own contexts have."""
    phrases = Phrases(memory, tokenizer)
    for text in TEXTS:
        for at, token_id in enumerate(tokenizer.tokens(text).ids):
            if symbols(tokenizer)[token_id] != BOUNDARY:
                assert tokenizer.surface(token_id) in found(phrases, tokenizer, text, at)


def test_punctuation_is_one_boundary_of_any_kind(tokenizer: Tokenizer, memory: Path) -> None:
    """Marks and their number do not matter: half-width, doubled, or the end of the text."""
    phrases = Phrases(memory, tokenizer)
    for text in ("把月光写成句子，", "把月光写成句子!!", "把月光写成句子"):
        assert "子" in found(phrases, tokenizer, text, 6)


def test_contexts_are_told_apart(tokenizer: Tokenizer) -> None:
    """Each kind of context of a place has a key of its own, and order matters."""
    table = symbols(tokenizer)
    ids = np.array(tokenizer.tokens("天地玄黄宇宙洪荒").ids)
    padded, where = squeezed(table[ids])
    keys = context_keys(padded, where)
    assert keys.shape == (8, len(KINDS))
    assert len(np.unique(keys[4])) == len(KINDS)
    other, _ = squeezed(table[ids[::-1]])
    assert not np.isin(context_keys(other, where)[4], keys[4]).any()
    assert max(map(sum, KINDS)) == REACH


def test_merged_memories_answer_as_both(tokenizer: Tokenizer, memory: Path, tmp_path: Path) -> None:
    """A merged file has the tables of both; merging is refused across tokenizers."""
    other = counted(tokenizer, tmp_path / "b.phrases", ["青萝科技做木头键盘。"])
    both = tmp_path / "both.phrases"
    merge(both, [Phrases(memory), Phrases(other)])
    phrases = Phrases(both, tokenizer)
    assert len(phrases.tables) == 2
    assert len(phrases) == len(Phrases(memory)) + len(Phrases(other))
    for path, one in zip((memory, other), phrases.tables, strict=True):
        assert (one.entries == Phrases(path).tables[0].entries).all()


def test_another_tokenizer_is_refused(memory: Path, tmp_path: Path) -> None:
    """A memory speaks of ids: with another vocabulary it would answer nonsense."""
    golden = Path(__file__).parents[1] / "golden" / "checkpoints" / "bert-masked-lm" / "vocab.txt"
    from tokenizers import BertWordPieceTokenizer

    path = tmp_path / "tokenizer.json"
    BertWordPieceTokenizer(str(golden)).save(str(path))
    with pytest.raises(PhrasesError, match="another tokenizer"):
        Phrases(memory, Tokenizer(path))


def header_changed(data: bytes, change: Callable[[dict], object]) -> bytes:  # type: ignore[type-arg]
    """The same file with another header of the same length."""
    length = int.from_bytes(data[8:16], "little")
    header = json.loads(data[16 : 16 + length])
    change(header)
    text = json.dumps(header).encode()
    assert len(text) <= length
    return data[:16] + text.ljust(length) + data[16 + length :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "magic": lambda data: b"NOTPHRAS" + data[8:],
    "only magic": lambda data: MAGIC,
    "truncated in the header": lambda data: data[:40],
    "truncated in the entries": lambda data: data[:-64],
    "header that never ends": lambda data: data[:8] + b"\xff" * 8 + data[16:],
    "header of brackets": lambda data: data[:16] + b"[" * (len(data) - 16),
    "version": lambda data: header_changed(data, lambda h: h.update(version=9)),
    "no tables": lambda data: header_changed(data, lambda h: h.update(tables=[])),
    "tables of another kind": lambda data: header_changed(data, lambda h: h.update(tables=[7])),
    "entries that overflow": lambda data: header_changed(
        data, lambda h: h["tables"][0].update(entries=1 << 62, about={})
    ),
    "negative buckets": lambda data: header_changed(
        data, lambda h: h["tables"][0].update(buckets=-1)
    ),
    "a place past the end": lambda data: header_changed(
        data, lambda h: h["tables"][0].update(at=1 << 40, about={})
    ),
    "token bits": lambda data: header_changed(data, lambda h: h.update(token_bits=3)),
    "vocabulary of nothing": lambda data: header_changed(data, lambda h: h.update(vocab_size=0)),
    "gate of one": lambda data: header_changed(data, lambda h: h["tables"][0].update(gate=1)),
    "gate of infinity": lambda data: data.replace(b"0.0", b"1e9", 1).replace(b"0.0", b"NaN", 1),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_one_clear_error(
    tokenizer: Tokenizer, memory: Path, tmp_path: Path, name: str
) -> None:
    """Whatever is wrong with a file, opening it says so in both languages and names it."""
    path = tmp_path / "damaged.phrases"
    path.write_bytes(DAMAGES[name](memory.read_bytes()))
    with pytest.raises(PhrasesError) as caught:
        Phrases(path, tokenizer)
    assert str(path) in caught.value.zh
    assert str(path) in caught.value.en


def test_bits_flipped_in_the_data_never_crash(
    tokenizer: Tokenizer, memory: Path, tmp_path: Path
) -> None:
    """Random bytes in buckets and entries are an error or a wrong entry, nothing else."""
    data = bytearray(memory.read_bytes())
    start = 16 + int.from_bytes(data[8:16], "little")
    rng = np.random.default_rng(0)
    path = tmp_path / "flipped.phrases"
    for _ in range(30):
        broken = bytearray(data)
        for at in rng.integers(start, len(data), 20).tolist():
            broken[at] = int(rng.integers(256))
        path.write_bytes(broken)
        try:
            phrases = Phrases(path, tokenizer)
            found(phrases, tokenizer, TEXTS[0], 3)
        except PhrasesError:
            continue


def test_a_missing_file_is_told(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """No traceback for a path that is not there."""
    with pytest.raises(PhrasesError, match="Cannot read"):
        Phrases(tmp_path / "none.phrases", tokenizer)
