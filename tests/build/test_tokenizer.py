"""The older forms of a vocabulary become the tokenizer that transformers makes of them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import tokenizers

from qingyu.build.sources.tokenizer import read_tokenizer, write_tokenizer
from qingyu.errors import CheckpointError

CHECKPOINTS = Path(__file__).parents[1] / "golden" / "checkpoints"
SENTENCES = CHECKPOINTS.parent / "sentences.txt"
TEXTS = [
    *SENTENCES.read_text("utf-8").splitlines()[::7],
    "Python 3.11  is faster，than ３.１０！",
    "他养了一只🙂魑魅，名叫Zoë。",
    "今天<mask>真好 [MASK] <extra_id_0>",
]


@pytest.mark.parametrize(
    "name",
    ["bert-masked-lm", "bert-ner", "roberta-masked-lm", "xlm-roberta-nli", "t5-tied", "mt5-untied"],
)
def test_the_older_form_tokenises_alike(name: str, checkpoint: Callable[[str], Path]) -> None:
    """vocab.txt, vocab.json with merges.txt, or a SentencePiece model: the same ids, offsets and
    frames as of tokenizer.json, for texts and for pairs.
    """
    folder = checkpoint(name)
    expected = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    (folder / "tokenizer.json").unlink()
    made = read_tokenizer(folder)
    assert made.get_vocab_size() == expected.get_vocab_size()
    for text in TEXTS:
        for inputs in ((text,), (text, TEXTS[0])):
            ours, theirs = made.encode(*inputs), expected.encode(*inputs)
            assert ours.ids == theirs.ids
            assert ours.offsets == theirs.offsets
            assert ours.type_ids == theirs.type_ids
        assert made.decode(ours.ids) == expected.decode(theirs.ids)


def albert_model(path: Path) -> None:
    """Write a SentencePiece model: ALBERT's five special pieces, then a few of its kind."""
    special = [("<pad>", 3), ("<unk>", 2), ("[CLS]", 3), ("[SEP]", 3), ("[MASK]", 4)]
    pieces = [(text, 0.0, kind) for text, kind in special]
    words = {"▁": -3, "▁hello": -4, "zoe": -4, "1,": -1, "1": -5, ",": -5, "0": -5, '"': -6}
    pieces += [(text, score, 1) for text, score in words.items()]
    message = b""
    for text, score, kind in pieces:
        data = text.encode()
        piece = b"\x0a" + bytes([len(data)]) + data + b"\x15" + struct.pack("<f", score)
        piece += b"\x18" + bytes([kind])
        message += b"\x0a" + bytes([len(piece)]) + piece
    path.write_bytes(message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello Zoë", ["▁hello", "▁", "zoe"]),  # neither capitals nor accents
        ("``1,0''", ["▁", '"', "1", ",", "0", '"']),  # a number's comma stands alone
        ("hello [MASK]魑", ["▁hello", "[MASK]", "▁", "<unk>"]),
    ],
)
def test_alberts_pieces(text: str, expected: list[str], tmp_path: Path) -> None:
    """A spiece.model with BERT's special tokens is ALBERT's, and framed as BERT frames."""
    albert_model(tmp_path / "spiece.model")
    made = read_tokenizer(tmp_path)
    assert pieces(made, text) == ["[CLS]", *expected, "[SEP]"]
    pair = made.encode("hello", text)
    assert pieces(made, "hello", text) == ["[CLS]", "▁hello", "[SEP]", *expected, "[SEP]"]
    assert pair.type_ids == [0] * 3 + [1] * (len(expected) + 1)


def pieces(tokenizer: tokenizers.Tokenizer, *texts: str) -> list[str]:
    """Unknown words by the unknown token's name, which an encoding's own `tokens` hides."""
    return [tokenizer.id_to_token(number) for number in tokenizer.encode(*texts).ids]  # type: ignore[misc]


def test_alberts_capitals_and_accents(tmp_path: Path) -> None:
    """The settings beside the model can keep both: here they are no words, and unknown."""
    albert_model(tmp_path / "spiece.model")
    settings = '{"do_lower_case": false, "keep_accents": true}'
    (tmp_path / "tokenizer_config.json").write_text(settings, "utf-8")
    assert "<unk>" in pieces(read_tokenizer(tmp_path), "Hello Zoë")


@pytest.mark.parametrize("kept", [0, 1, 100, 3000])
def test_a_damaged_model(kept: int, checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    """A SentencePiece model cut short, or no such thing, is named."""
    folder = checkpoint("t5-tied")
    (folder / "tokenizer.json").unlink()
    path = folder / "spiece.model"
    path.write_bytes(path.read_bytes()[:kept] + (b"\xff" * 20 if kept == 1 else b""))
    with pytest.raises(CheckpointError, match=r"tokenizer|SentencePiece|spiece"):
        write_tokenizer(folder, tmp_path / "out.json", 300)


def test_no_tokenizer_at_all(tmp_path: Path) -> None:
    """The error lists the files that would do."""
    with pytest.raises(CheckpointError, match=r"vocab\.txt.*spiece\.model"):
        read_tokenizer(tmp_path)
