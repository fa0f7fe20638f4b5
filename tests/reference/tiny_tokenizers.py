"""Vocabularies and tokenizers of the tiny checkpoints, written out as the Hub lays them out.

WordPiece (BERT and its kin), byte-level BPE (RoBERTa) and Unigram (XLM-R, T5, mT5; with the
SentencePiece model beside tokenizer.json). The vocabularies come from `tiny_texts` alone.
"""

from __future__ import annotations

import itertools
import json
import string
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceTrainer
from sentencepiece import sentencepiece_model_pb2 as spm
from tiny_texts import LABELS, LATIN_PIECES, PAIRS, TEMPLATES, TEXTS, WORDS
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

CORPUS = [*TEXTS, *(text for pair in PAIRS for text in pair), *LABELS, *TEMPLATES]
HAN = sorted({char for text in CORPUS for char in text if "\u4e00" <= char <= "\u9fff"})
PUNCTUATION = list("，。！？：；、“”().,!?:;%-_")
ALPHANUMERIC = list(string.digits + string.ascii_lowercase + string.ascii_uppercase)
MAX_LENGTH = 512
# A mask takes the space before it, as in every RoBERTa.
MASK = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": False}
MASK |= {"rstrip": False, "single_word": False, "special": True}


def write_wordpiece(folder: Path, *, lowercase: bool = True, kind: str = "BertTokenizer") -> int:
    """Write vocab.txt and tokenizer.json of a BERT; return the vocabulary size.

    [UNK], [CLS], [SEP] and [MASK] follow an unused slot, so their ids are nobody's defaults.
    """
    special = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    continued = [f"##{char}" for char in ALPHANUMERIC]
    vocabulary = [*special, *PUNCTUATION, *ALPHANUMERIC, *continued, *LATIN_PIECES, *HAN]
    assert len(set(vocabulary)) == len(vocabulary)
    ids = {token: number for number, token in enumerate(vocabulary)}

    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    _write(
        folder,
        tokenizer,
        tokenizer_class=kind,
        do_lower_case=lowercase,
        tokenize_chinese_chars=True,
        strip_accents=None,
        unk_token="[UNK]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        mask_token="[MASK]",
    )
    return len(vocabulary)


def write_byte_bpe(folder: Path, merges: int = 120) -> int:
    """Write vocab.json, merges.txt and tokenizer.json of a RoBERTa; return the vocabulary size."""
    rules = _learn_merges(merges)
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary += sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary += ["".join(rule) for rule in rules]
    vocabulary += ["<mask>"]
    ids = {token: number for number, token in enumerate(vocabulary)}
    assert len(ids) == len(vocabulary)

    tokenizer = Tokenizer(models.BPE(ids, rules))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", ids["</s>"]), ("<s>", ids["<s>"]), trim_offsets=True, add_prefix_space=False
    )
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(rule) for rule in rules)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write(
        folder,
        tokenizer,
        tokenizer_class="RobertaTokenizer",
        add_prefix_space=False,
        bos_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        cls_token="<s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token=MASK,
    )
    return len(vocabulary)


def write_xlm_roberta(folder: Path) -> int:
    """Write sentencepiece.bpe.model and tokenizer.json of an XLM-R; return the vocabulary size.

    As in the original, ids are those of the SentencePiece model plus one, after <s> <pad> </s>
    <unk>, and <mask> comes last.
    """
    pieces = _pieces()
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [*pieces, ("<mask>", 0.0)]
    charsmap = _charsmap()
    _write_sentencepiece(
        folder / "sentencepiece.bpe.model", ["<unk>", "<s>", "</s>"], pieces, charsmap
    )
    tokenizer = _unigram(vocabulary, 3, charsmap)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["<s>", "$A", "</s>"],
        pair=["<s>", "$A", "</s>", "</s>", "$B", "</s>"],
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    _write(
        folder,
        tokenizer,
        tokenizer_class="XLMRobertaTokenizer",
        bos_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        cls_token="<s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token=MASK,
    )
    return len(vocabulary)


def write_t5(folder: Path, sentinels: int = 100) -> int:
    """Write spiece.model and tokenizer.json of a T5; return the vocabulary size.

    The sentinels are special tokens after the SentencePiece vocabulary, <extra_id_0> last.
    """
    pieces = _pieces()
    names = [f"<extra_id_{number}>" for number in reversed(range(sentinels))]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces]
    vocabulary += [(name, 0.0) for name in names]
    charsmap = _charsmap()
    _write_sentencepiece(folder / "spiece.model", ["<pad>", "</s>", "<unk>"], pieces, charsmap)
    tokenizer = _t5(vocabulary, charsmap)
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>", *names[::-1]])
    _write(
        folder,
        tokenizer,
        tokenizer_class="T5Tokenizer",
        extra_ids=sentinels,
        additional_special_tokens=names[::-1],
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
    )
    return len(vocabulary)


def write_mt5(folder: Path, sentinels: int = 100) -> int:
    """Write spiece.model and tokenizer.json of an mT5; return the vocabulary size.

    As in the original, a sentinel is an ordinary piece that starts a word, `▁<extra_id_0>`.
    """
    pieces = _pieces()
    pieces += [(f"▁<extra_id_{number}>", -1.0) for number in reversed(range(sentinels))]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces]
    charsmap = _charsmap()
    _write_sentencepiece(folder / "spiece.model", ["<pad>", "</s>", "<unk>"], pieces, charsmap)
    tokenizer = _t5(vocabulary, charsmap)
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    _write(
        folder,
        tokenizer,
        tokenizer_class="T5Tokenizer",
        extra_ids=0,
        additional_special_tokens=[],
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
    )
    return len(vocabulary)


def _t5(vocabulary: list[tuple[str, float]], charsmap: bytes) -> Tokenizer:
    tokenizer = _unigram(vocabulary, 2, charsmap)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", 1)]
    )
    return tokenizer


def _unigram(vocabulary: list[tuple[str, float]], unknown: int, charsmap: bytes) -> Tokenizer:
    assert len({piece for piece, _ in vocabulary}) == len(vocabulary)
    tokenizer = Tokenizer(models.Unigram(vocabulary, unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Precompiled(charsmap)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _pieces() -> list[tuple[str, float]]:
    """Unigram pieces with log-probabilities: words, words at a word's start, single characters."""
    words = [*WORDS, *(f"▁{word}" for word in WORDS[:8]), "▁Python", "▁is", "er", "▁New"]
    halfwidth = [char for char in PUNCTUATION if char not in "，！？：；"]
    single = ["▁", *halfwidth, *ALPHANUMERIC, *HAN]
    likely = [(word, round(-4.0 - 0.03 * rank, 4)) for rank, word in enumerate(words)]
    return likely + [(char, round(-6.0 - 0.005 * rank, 4)) for rank, char in enumerate(single)]


def _charsmap() -> bytes:
    """Compile a SentencePiece normaliser that, like NFKC, narrows full-width forms."""
    rules = {"，": ",", "！": "!", "？": "?", "：": ":", "；": ";", "\u3000": " ", "ｔ": "t"}
    table = "".join(
        f"{ord(wide):X}\t{' '.join(f'{ord(char):X}' for char in narrow)}\n"
        for wide, narrow in rules.items()
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rules.tsv").write_text(table, encoding="utf-8")
        (Path(folder) / "text.txt").write_text("\n".join(CORPUS), encoding="utf-8")
        SentencePieceTrainer.train(
            input=f"{folder}/text.txt",
            model_prefix=f"{folder}/model",
            normalization_rule_tsv=f"{folder}/rules.tsv",
            vocab_size=500,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        proto = spm.ModelProto()
        proto.ParseFromString((Path(folder) / "model.model").read_bytes())
    return bytes(proto.normalizer_spec.precompiled_charsmap)


def _write_sentencepiece(
    path: Path, control: list[str], pieces: list[tuple[str, float]], charsmap: bytes
) -> None:
    kinds = spm.ModelProto.SentencePiece
    proto = spm.ModelProto()
    for piece in control:
        kind = kinds.UNKNOWN if piece == "<unk>" else kinds.CONTROL
        proto.pieces.add(piece=piece, score=0.0, type=kind)
    for piece, score in pieces:
        kind = kinds.USER_DEFINED if "<extra_id_" in piece else kinds.NORMAL
        proto.pieces.add(piece=piece, score=score, type=kind)
    proto.trainer_spec.model_type = spm.TrainerSpec.UNIGRAM
    proto.trainer_spec.vocab_size = len(proto.pieces)
    position = {piece: number for number, piece in enumerate(control)}
    proto.trainer_spec.unk_id = position["<unk>"]
    proto.trainer_spec.bos_id = position.get("<s>", -1)
    proto.trainer_spec.eos_id = position["</s>"]
    proto.trainer_spec.pad_id = position.get("<pad>", -1)
    proto.normalizer_spec.name = "narrow"
    proto.normalizer_spec.precompiled_charsmap = charsmap
    path.write_bytes(proto.SerializeToString(deterministic=True))


def _learn_merges(count: int) -> list[tuple[str, str]]:
    """Learn byte-pair merges of CORPUS: the most frequent pair each time, ties by spelling."""
    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    words = [tuple(word) for text in CORPUS for word, _ in split(text)]
    rules: list[tuple[str, str]] = []
    for _ in range(count):
        pairs = Counter(pair for word in words for pair in itertools.pairwise(word))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        rules.append(best)
        words = [_merge(word, best) for word in words]
    return rules


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    for symbol in word:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)


def _write(folder: Path, tokenizer: Tokenizer, **config: Any) -> None:
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config["model_max_length"] = MAX_LENGTH
    text = json.dumps(config, ensure_ascii=False, indent=1)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")
