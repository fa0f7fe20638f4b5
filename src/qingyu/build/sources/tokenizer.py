"""The tokenizer of a checkpoint, as one `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import (
    AddedToken,
    BertWordPieceTokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
)

from qingyu.build.shrink.vocabulary import shrink
from qingyu.build.sources import sentencepiece
from qingyu.build.sources.added_tokens import add_tokens, role, settings_of
from qingyu.build.sources.mistaken import refuse_stand_in
from qingyu.errors import CheckpointError
from qingyu.text.panics import is_panic


def write_tokenizer(
    source: Path, out: Path, vocab_size: int, words: NDArray[np.int64] | None = None
) -> None:
    """Take `tokenizer.json`, or make it from an older form, and check it against the embeddings.

    `words` are the ids to keep, where not all are. Raises CheckpointError where there is neither,
    or where it has words the model has not.
    """
    tokenizer = read_tokenizer(source)
    if words is not None:
        tokenizer = shrink(tokenizer, words.tolist())
    if tokenizer.get_vocab_size() > vocab_size:
        raise CheckpointError(
            f"分词器有 {tokenizer.get_vocab_size()} 个词，模型只有 {vocab_size} 个，两者不配套。",
            f"The tokenizer has {tokenizer.get_vocab_size()} words, the model {vocab_size}: "
            "they do not belong together.",
        )
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(out), pretty=False)


def wordless_ids(source: Path, vocab_size: int) -> NDArray[np.int64]:
    """Rows of the word table that no token has, int64 [n], rising: vocabularies are padded to round
    numbers. Raises CheckpointError."""
    known = np.fromiter(read_tokenizer(source).get_vocab().values(), np.int64)
    return np.setdiff1d(np.arange(vocab_size), known)


def read_tokenizer(source: Path) -> tokenizers.Tokenizer:
    """The tokenizer of a checkpoint's folder. Raises CheckpointError."""
    try:
        return _read(source)
    except CheckpointError:
        raise
    except BaseException as error:  # the binding raises plain Exception
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise CheckpointError(
            f"无法读取 {source} 的分词器：{error}",
            f"Cannot read the tokenizer of {source}: {error}",
        ) from error


def _read(source: Path) -> tokenizers.Tokenizer:
    if (source / READY).is_file():
        refuse_stand_in(source / READY)
        return tokenizers.Tokenizer.from_file(str(source / READY))
    settings = settings_of(source)
    for names, make in OLDER.items():
        paths = [source / name for name in names]
        if all(path.is_file() for path in paths):
            for path in paths:
                refuse_stand_in(path)
            made = make(paths, settings)
            add_tokens(made, source)
            return made
    older = "、".join(" + ".join(names) for names in OLDER)
    raise CheckpointError(
        f"{source} 中没有 {READY}，也没有 {older}。",
        f"{source} has no {READY}, nor one of the older forms: {older}.",
    )


def _wordpiece(paths: list[Path], settings: dict[str, Any]) -> tokenizers.Tokenizer:
    made = BertWordPieceTokenizer(
        vocab=str(paths[0]),
        lowercase=bool(settings.get("do_lower_case", True)),
        handle_chinese_chars=bool(settings.get("tokenize_chinese_chars", True)),
        strip_accents=settings.get("strip_accents"),
        **{name: role(settings, name, token) for name, token in BERT_ROLES.items()},
    )
    return tokenizers.Tokenizer.from_str(made.to_str())


def _byte_pairs(paths: list[Path], settings: dict[str, Any]) -> tokenizers.Tokenizer:
    """RoBERTa's and GPT-2's: bytes as characters, merged."""
    vocab, merges = map(str, paths)
    made = tokenizers.Tokenizer(models.BPE.from_file(vocab, merges))
    space = bool(settings.get("add_prefix_space", False))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space)
    made.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    made.add_special_tokens([token for token in special if made.token_to_id(token) is not None])
    made.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    first, last = made.token_to_id("<s>"), made.token_to_id("</s>")
    if first is None or last is None:
        raise CheckpointError(
            f"{paths[0]} 中没有 <s> 与 </s>；请提供 tokenizer.json。",
            f"{paths[0]} has no <s> and </s>; a tokenizer.json is needed.",
        )
    made.post_processor = processors.RobertaProcessing(
        ("</s>", last), ("<s>", first), add_prefix_space=space
    )
    return made


def _xlm_roberta(paths: list[Path], settings: dict[str, Any]) -> tokenizers.Tokenizer:
    del settings
    return sentencepiece.xlm_roberta(sentencepiece.read_model(paths[0]))


def _pieces(paths: list[Path], settings: dict[str, Any]) -> tokenizers.Tokenizer:
    """ALBERT's or T5's, whose files have the same name."""
    model = sentencepiece.read_model(paths[0])
    if sentencepiece.is_albert(model):
        lowercase = bool(settings.get("do_lower_case", True))
        return sentencepiece.albert(model, lowercase, bool(settings.get("keep_accents", False)))
    return sentencepiece.t5(model, int(settings.get("extra_ids", 100)))


READY = "tokenizer.json"
BERT_ROLES = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "cls_token": "[CLS]",
    "pad_token": "[PAD]",
    "mask_token": "[MASK]",
}
OLDER: dict[tuple[str, ...], Callable[[list[Path], dict[str, Any]], tokenizers.Tokenizer]] = {
    ("vocab.txt",): _wordpiece,
    ("vocab.json", "merges.txt"): _byte_pairs,
    ("sentencepiece.bpe.model",): _xlm_roberta,
    ("spiece.model",): _pieces,
}
