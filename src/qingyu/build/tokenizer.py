"""The tokenizer of a checkpoint, as one `tokenizer.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import BertWordPieceTokenizer

from qingyu.build.vocabulary import shrink
from qingyu.errors import CheckpointError


def write_tokenizer(
    source: Path, out: Path, vocab_size: int, words: NDArray[np.int64] | None = None
) -> None:
    """Take `tokenizer.json`, or make it from `vocab.txt`, and check it against the embeddings.

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


def read_tokenizer(source: Path) -> tokenizers.Tokenizer:
    """The tokenizer of a checkpoint's folder. Raises CheckpointError."""
    try:
        return _read(source)
    except CheckpointError:
        raise
    except Exception as error:  # the binding raises plain Exception
        raise CheckpointError(
            f"无法读取 {source} 的分词器：{error}",
            f"Cannot read the tokenizer of {source}: {error}",
        ) from error


def _read(source: Path) -> tokenizers.Tokenizer:
    ready, vocabulary = source / "tokenizer.json", source / "vocab.txt"
    if ready.is_file():
        return tokenizers.Tokenizer.from_file(str(ready))
    if not vocabulary.is_file():
        raise CheckpointError(
            f"{source} 中没有 tokenizer.json，也没有 vocab.txt。",
            f"{source} has neither tokenizer.json nor vocab.txt.",
        )
    settings = _settings(source / "tokenizer_config.json")
    made = BertWordPieceTokenizer(
        vocab=str(vocabulary),
        lowercase=bool(settings.get("do_lower_case", True)),
        handle_chinese_chars=bool(settings.get("tokenize_chinese_chars", True)),
        strip_accents=settings.get("strip_accents"),
    )
    return tokenizers.Tokenizer.from_str(made.to_str())


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    values = json.loads(path.read_text("utf-8"))
    return values if isinstance(values, dict) else {}
