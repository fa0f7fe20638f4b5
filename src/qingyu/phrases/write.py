"""A phrase memory as a file: tables packed, several memories joined. Whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qingyu.errors import PhrasesError
from qingyu.numbers import FloatArray
from qingyu.phrases.count import token_bits
from qingyu.phrases.votes import Entries
from qingyu.text.phrases import (
    ALIGNMENT,
    MAGIC,
    MAX_TABLES,
    TRUST_BITS,
    VERSION,
    Phrases,
    PhraseTable,
    buckets_of,
    fingerprints,
)
from qingyu.text.tokenizer import Tokenizer

IN_A_BUCKET = 16  # entries on average


def packed(entries: Entries, bits: int, gate: FloatArray, about: dict[str, Any]) -> PhraseTable:
    """A table of entries."""
    buckets = max(1, -(-len(entries.keys) // IN_A_BUCKET))
    sizes = np.bincount(buckets_of(entries.keys, buckets).astype(np.int64), minlength=buckets)
    starts = np.zeros(buckets + 1, "<u4")
    starts[1:] = np.cumsum(sizes)
    words = fingerprints(entries.keys, bits) << np.uint32(bits + TRUST_BITS)
    words |= entries.trusts.astype(np.uint32) << np.uint32(bits)
    words |= (entries.keys & np.uint64((1 << bits) - 1)).astype(np.uint32)
    return PhraseTable(starts, words.astype("<u4"), gate, about)


def write(path: Path, tables: Sequence[PhraseTable], tokenizer: Tokenizer) -> None:
    """Write a memory of these tables."""
    size = tokenizer.vocab_size
    _write(path, tables, tokenizer.digest, size, token_bits(size))


def merge(path: Path, memories: Sequence[Phrases]) -> None:
    """Write a memory that answers as several together do. Raises PhrasesError where they were
    counted with different tokenizers, or are too many."""
    first = memories[0]
    tables = [table for memory in memories for table in memory.tables]
    for memory in memories:
        if memory.vocabulary != first.vocabulary:
            raise PhrasesError(
                f"{memory.path} 与 {first.path} 是用不同的分词器统计的，不能合并。",
                f"{memory.path} and {first.path} were counted with different tokenizers.",
            )
    if len(tables) > MAX_TABLES:
        raise PhrasesError(
            f"合并后有 {len(tables)} 个表，最多 {MAX_TABLES} 个；请从文本重新统计。",
            f"Together they have {len(tables)} tables, at most {MAX_TABLES}; count the texts anew.",
        )
    _write(path, tables, first.vocabulary, first.vocab_size, first.token_bits)


def _write(
    path: Path, tables: Sequence[PhraseTable], vocabulary: str, size: int, bits: int
) -> None:
    header: dict[str, Any] = {"version": VERSION, "vocabulary": vocabulary, "vocab_size": size}
    described = [
        {
            "entries": len(table.entries),
            "buckets": len(table.starts) - 1,
            "at": 0,
            "gate": table.gate.round(4).astype(float).round(4).tolist(),
            "about": table.about,
        }
        for table in tables
    ]
    header |= {"token_bits": bits, "tables": described}
    room = len(json.dumps(header, ensure_ascii=False).encode()) + 16 * len(tables)
    start = _aligned(len(MAGIC) + 8 + room)
    at = start
    for table, told in zip(tables, described, strict=True):
        told["at"] = at
        at = _aligned(at + 4 * (len(table.starts) + len(table.entries)))
    text = json.dumps(header, ensure_ascii=False).encode().ljust(start - len(MAGIC) - 8)
    partial = path.with_name(f"{path.name}.part")
    try:
        with partial.open("wb") as file:
            file.write(MAGIC + len(text).to_bytes(8, "little") + text)
            for table, told in zip(tables, described, strict=True):
                file.write(bytes(int(told["at"]) - file.tell()))
                file.write(table.starts.tobytes() + table.entries.tobytes())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        why = error.strerror or str(error)
        raise PhrasesError(f"无法写入 {path}：{why}", f"Cannot write {path}: {why}") from error


def _aligned(length: int) -> int:
    return -(-length // ALIGNMENT) * ALIGNMENT
