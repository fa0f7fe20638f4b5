"""SentencePiece models (Kudo & Richardson 2018, arXiv:1808.06226) without their library.

A model is a protobuf; of its fields only these are read: pieces (1) with their text (1), score (2)
and kind (3); of the trainer's settings (2) the kind of model (3); of the normaliser's (3) the
compiled table of replacements (2).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from qingyu.build.sources import protobuf
from qingyu.errors import CheckpointError

NORMAL, UNKNOWN, CONTROL = 1, 2, 3
UNIGRAM = 1
COMMA, COMMA_COST = re.compile(r"\d,$"), 100


@dataclass(frozen=True)
class SentencePiece:
    text: str
    score: float = 0.0
    kind: int = NORMAL


@dataclass(frozen=True)
class SentencePieceModel:
    pieces: list[SentencePiece]
    charsmap: bytes


def read_model(path: Path) -> SentencePieceModel:
    """Raises CheckpointError where the file is damaged, or no Unigram model."""
    try:
        parts = list(protobuf.fields(path.read_bytes()))
        pieces = [_piece(value) for number, value in parts if number == 1]
        trainer = dict(
            protobuf.fields(next((value for number, value in parts if number == 2), b""))
        )
        normaliser = dict(
            protobuf.fields(next((value for number, value in parts if number == 3), b""))
        )
    except (OSError, ValueError, IndexError, TypeError, struct.error) as error:
        raise CheckpointError(
            f"无法读取 SentencePiece 模型 {path}：{error}",
            f"Cannot read the SentencePiece model {path}: {error}",
        ) from error
    if trainer.get(3, UNIGRAM) != UNIGRAM or not pieces:
        raise CheckpointError(
            f"{path} 不是 Unigram 模型；请提供 tokenizer.json。",
            f"{path} is no Unigram model; a tokenizer.json is needed.",
        )
    return SentencePieceModel(pieces, normaliser.get(2, b""))


def xlm_roberta(model: SentencePieceModel) -> Tokenizer:
    """XLM-R's words: fairseq's four first, then the pieces but its own three, then <mask>."""
    own = [SentencePiece(text) for text in ("<s>", "<pad>", "</s>", "<unk>")]
    made = _unigram([*own, *model.pieces[3:], SentencePiece("<mask>")], 3, model.charsmap)
    made.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    made.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B:0 </s>:0",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return made


def is_albert(model: SentencePieceModel) -> bool:
    """Whether the pieces are ALBERT's, which alone have BERT's special tokens among them."""
    return {"[CLS]", "[SEP]", "[MASK]"} <= {piece.text for piece in model.pieces}


def albert(model: SentencePieceModel, lowercase: bool, keep_accents: bool) -> Tokenizer:
    """ALBERT's words: the pieces as they are, of text with plain quotes and, unless told
    otherwise, without accents and capitals.

    A number's comma stands alone, as ALBERT was trained: pieces that end in one score too low.
    """
    pieces = [
        replace(piece, score=piece.score - COMMA_COST) if COMMA.search(piece.text) else piece
        for piece in model.pieces
    ]
    unknown = next((i for i, p in enumerate(pieces) if p.kind == UNKNOWN), 1)
    steps: list[Any] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    steps += [] if keep_accents else [normalizers.NFKD(), normalizers.StripAccents()]
    steps += [normalizers.Lowercase()] if lowercase else []
    made = _unigram(pieces, unknown, model.charsmap, steps)
    made.add_special_tokens(["<pad>", "<unk>", "[CLS]", "[SEP]"])
    made.add_special_tokens([AddedToken("[MASK]", lstrip=True, normalized=False)])
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return made


def t5(model: SentencePieceModel, sentinels: int) -> Tokenizer:
    """T5's words: the pieces, then `sentinels` of <extra_id_n>, the last number first."""
    extra = [f"<extra_id_{number}>" for number in reversed(range(sentinels))]
    unknown = next((i for i, p in enumerate(model.pieces) if p.kind == UNKNOWN), 2)
    pieces = [*model.pieces, *map(SentencePiece, extra)]
    made = _unigram(pieces, unknown, model.charsmap)
    control = [piece.text for piece in model.pieces if piece.kind in (UNKNOWN, CONTROL)]
    made.add_special_tokens([*control, *extra])
    end = made.token_to_id("</s>")
    if end is None:
        raise CheckpointError(
            "这个 SentencePiece 模型没有 </s>，不是 T5 的；请提供 tokenizer.json。",
            "The SentencePiece model has no </s>, so it is not T5's; a tokenizer.json is needed.",
        )
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B:0 </s>:0", special_tokens=[("</s>", end)]
    )
    return made


def _unigram(
    pieces: list[SentencePiece], unknown: int, charsmap: bytes, first: Sequence[Any] = ()
) -> Tokenizer:
    """`first`: what is done to a text before the model's own replacements."""
    vocabulary = [(piece.text, piece.score) for piece in pieces]
    made = Tokenizer(models.Unigram(vocabulary, unknown, False))
    steps = [*first, *([normalizers.Precompiled(charsmap)] if charsmap else [])]
    made.normalizer = normalizers.Sequence([*steps, normalizers.Replace(Regex(" {2,}"), " ")])
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    made.decoder = decoders.Metaspace()
    return made


def _piece(data: bytes) -> SentencePiece:
    fields = dict(protobuf.fields(data))
    return SentencePiece(
        fields[1].decode("utf-8"), float(fields.get(2, 0.0)), int(fields.get(3, NORMAL))
    )
