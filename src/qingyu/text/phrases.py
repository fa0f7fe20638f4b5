"""Phrases known by heart: which token stands between which neighbours, looked up in a mapped file.

A *context* is up to four tokens beside a place, some before it and some after. Text that was
counted says which token stood there, and in what share of cases that is right: its *trust*, from 0
to 15. The file holds hashes of contexts, not text: docs/phrases.md gives its layout, and
`qingyu.phrases` makes it.
"""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import PhrasesError
from qingyu.numbers import FloatArray, IntArray
from qingyu.text.tokenizer import Tokenizer

MAGIC = b"QYPHRASE"
VERSION = 2
FEATURES_BEFORE = 3  # in version 1, which knew nothing of marks
MAX_HEADER = 1 << 20
ALIGNMENT = 64
MAX_TABLES = 16
MAX_TOKEN_BITS = 20
REACH = 4  # tokens of a context at most
# How many tokens before and after a place make each kind of context, small ones first.
KINDS = tuple((size - after, after) for size in range(1, REACH + 1) for after in range(size + 1))
SIZES = np.array([before + after for before, after in KINDS])
TRUST_BITS = 4
TRUSTS = 1 << TRUST_BITS
FEATURES = 4  # of a place and a token, by which the gate weighs evidence
BOUNDARY = 0  # the symbol of punctuation, however much of it, and of the ends of a text

Codes = NDArray[np.uint64]

# An odd multiplier for each place from REACH before to REACH after (its own has none), so that a
# sum of products tells which symbol stood where.
MULTIPLIERS = np.array(
    [
        0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0,
        0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3,
    ],
    np.uint64,
)  # fmt: skip
KIND_CODES = np.arange(1, len(KINDS) + 1, dtype=np.uint64) * np.uint64(0x1D8E4E27C47D124F)
_BEFORE = np.array([before for before, _ in KINDS])
_AFTER = np.array([after for _, after in KINDS])
_AROUND = np.arange(-REACH, REACH + 1)


@lru_cache(maxsize=8)
def symbols(tokenizer: Tokenizer) -> Codes:
    """What each token is in a context, uint64 [vocabulary]: its id and one, or BOUNDARY."""
    found = np.arange(1, len(tokenizer.surfaces) + 1, dtype=np.uint64)
    named = (tokenizer.mask_id, tokenizer.unk_id)
    for token_id, surface in enumerate(tokenizer.surfaces):
        mark = tokenizer.is_special(token_id) or not any(map(str.isalnum, surface))
        if mark and token_id not in named:
            found[token_id] = BOUNDARY
    return found


@lru_cache(maxsize=8)
def marks(tokenizer: Tokenizer) -> IntArray:
    """The tokens that are BOUNDARY in a context, int64 [n]."""
    return np.flatnonzero(symbols(tokenizer) == BOUNDARY)


def squeezed(codes: Codes) -> tuple[Codes, IntArray]:
    """Symbols [n] with one boundary in place of several and REACH more at either end; and where
    each symbol of the input is now, int64 [n]."""
    kept = codes != BOUNDARY
    kept[1:] |= codes[:-1] != BOUNDARY
    padded = np.zeros(int(np.count_nonzero(kept)) + 2 * REACH, np.uint64)
    padded[REACH:-REACH] = codes[kept]
    return padded, np.cumsum(kept) + (REACH - 1)


def context_keys(padded: Codes, places: IntArray) -> Codes:
    """A hash of every context of some places of a squeezed text: uint64 [places, KINDS]."""
    around = padded[places[:, None] + _AROUND] * MULTIPLIERS
    sums = np.zeros((2, len(places), REACH + 1), np.uint64)
    np.cumsum(around[:, REACH - 1 :: -1], axis=1, out=sums[0, :, 1:])
    np.cumsum(around[:, REACH + 1 :], axis=1, out=sums[1, :, 1:])
    return mixed(sums[0][:, _BEFORE] + sums[1][:, _AFTER] + KIND_CODES)


def mixed(codes: Codes) -> Codes:
    """The finalizer of MurmurHash3 (Appleby 2011): every bit depends on every other."""
    codes = (codes ^ (codes >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    codes = (codes ^ (codes >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return np.asarray(codes ^ (codes >> np.uint64(33)))


def buckets_of(keys: Codes, buckets: int) -> Codes:
    """The bucket of each key, by its upper 32 bits: in the order of the keys."""
    return np.asarray(((keys >> np.uint64(32)) * np.uint64(buckets)) >> np.uint64(32))


@dataclass(frozen=True)
class Recalled:
    """What a memory has for some places: an item for each context found and each token in it.

    rows:   int64 [n], which place
    tokens: int64 [n]
    sizes:  int64 [n], tokens of the context
    trusts: int64 [n], from 0 to TRUSTS - 1
    """

    rows: IntArray
    tokens: IntArray
    sizes: IntArray
    trusts: IntArray


@dataclass(frozen=True, eq=False)
class PhraseTable:
    """One table of a memory, mapped: entries in buckets by the upper bits of their keys.

    starts:  uint32 [buckets + 1], where the entries of each bucket begin
    entries: uint32 [n], from high bits to low: fingerprint of the context, trust, token
    gate:    float32 [REACH, TRUSTS, FEATURES], how far evidence raises a token, by the size of its
             context and its trust: see `qingyu.tasks.parts.words`
    about:   what it was counted from, for people
    """

    starts: NDArray[np.uint32]
    entries: NDArray[np.uint32]
    gate: FloatArray
    about: dict[str, Any]

    def recall(self, keys: Codes, token_bits: int) -> Recalled:
        """What is known of places by their `context_keys`."""
        flat = keys.ravel()
        bucket = buckets_of(flat, len(self.starts) - 1).astype(np.int64)
        first = self.starts[bucket].astype(np.int64)
        counts = self.starts[bucket + 1] - first
        ends = np.cumsum(counts)
        context = np.repeat(np.arange(len(flat)), counts)
        entries = self.entries[np.arange(len(context)) + np.repeat(first - ends + counts, counts)]
        high = entries >> np.uint32(token_bits + TRUST_BITS)
        hit = np.flatnonzero(high == fingerprints(flat, token_bits)[context])
        found = entries[hit].astype(np.int64)
        rows, kinds = np.divmod(context[hit], len(KINDS))
        tokens = found & ((1 << token_bits) - 1)
        return Recalled(rows, tokens, SIZES[kinds], (found >> token_bits) & (TRUSTS - 1))


class Phrases:
    """A memory of phrases in a mapped file. Processes that open one file share its pages."""

    def __init__(self, path: Path, tokenizer: Tokenizer | None = None) -> None:
        """Raises PhrasesError where the file cannot be read, is damaged, or was not counted with
        the vocabulary of `tokenizer`."""
        self.path = path
        header, self._map, self._stamp = _mapped(path)
        try:
            self.version = _natural(header["version"])
            self.vocabulary = str(header["vocabulary"])
            self.vocab_size = _natural(header["vocab_size"])
            self.token_bits = _natural(header["token_bits"])
            if not 0 < self.vocab_size <= 1 << self.token_bits <= 1 << MAX_TOKEN_BITS:
                raise ValueError("token_bits")
            tables = header["tables"]
            if not 0 < len(tables) <= MAX_TABLES:
                raise ValueError("tables")
            self.tables = tuple(self._table(table) for table in tables)
            if hasattr(mmap, "MADV_DONTNEED"):  # what was read to be checked
                self._map.madvise(mmap.MADV_DONTNEED)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise damaged(path, f"{type(error).__name__}: {error}") from error
        if tokenizer is not None:
            self.check(tokenizer)

    def __repr__(self) -> str:
        """Different for files that differ."""
        return f"Phrases({str(self.path)!r}, {self._stamp})"

    def check(self, tokenizer: Tokenizer) -> None:
        """Raises PhrasesError where the memory was not counted with this vocabulary."""
        if self.vocabulary != tokenizer.digest:
            raise PhrasesError(
                f"短语记忆 {self.path} 是用另一个分词器统计的，不能与此模型同用；"
                "请用此模型重新统计。",
                f"The phrase memory {self.path} was counted with another tokenizer and does not go "
                "with this model; count it again with this one.",
            )

    def _table(self, header: dict[str, Any]) -> PhraseTable:
        entries, buckets, at = (_natural(header[key]) for key in ("entries", "buckets", "at"))
        if buckets < 1 or at % ALIGNMENT or at + 4 * (buckets + 1 + entries) > len(self._map):
            raise ValueError("the file is shorter than its header says")
        starts = np.frombuffer(self._map, "<u4", buckets + 1, at)
        words = np.frombuffer(self._map, "<u4", entries, at + 4 * (buckets + 1))
        if starts[0] != 0 or starts[-1] != entries or (starts[1:] < starts[:-1]).any():
            raise ValueError("buckets")
        gate = np.array(header["gate"], np.float32)
        if self.version == 1 and gate.shape == (REACH, TRUSTS, FEATURES_BEFORE):
            gate = np.pad(gate, [(0, 0), (0, 0), (0, FEATURES - FEATURES_BEFORE)])
        if gate.shape != (REACH, TRUSTS, FEATURES) or not np.isfinite(gate).all():
            raise ValueError("gate")
        return PhraseTable(starts, words, gate, dict(header["about"]))

    def __len__(self) -> int:
        return sum(len(table.entries) for table in self.tables)

    @property
    def bytes(self) -> int:
        return len(self._map)

    def recall(self, keys: Codes) -> list[Recalled]:
        """What each table knows of places by their `context_keys`. Raises PhrasesError on
        damage."""
        found = [table.recall(keys, self.token_bits) for table in self.tables]
        for one in found:
            if one.tokens.size and one.tokens.max() >= self.vocab_size:
                raise damaged(self.path, "token")
        return found


def fingerprints(keys: Codes, token_bits: int) -> NDArray[np.uint32]:
    """The bits of keys that an entry keeps: above those that the token takes in sorted keys."""
    kept = np.uint64((1 << (32 - TRUST_BITS - token_bits)) - 1)
    return np.asarray((keys >> np.uint64(token_bits)) & kept, np.uint32)


def damaged(path: Path, why: str) -> PhrasesError:
    return PhrasesError(
        f"短语记忆 {path} 已损坏（{why}），请重新统计或获取。",
        f"The phrase memory {path} is damaged ({why}); count or fetch it again.",
    )


def _mapped(path: Path) -> tuple[dict[str, Any], mmap.mmap, tuple[int, int, int]]:
    """The header and the mapped bytes of a file, and what tells it from another that takes its
    place. Raises PhrasesError."""
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC) + 8)
            length = int.from_bytes(start[len(MAGIC) :], "little")
            if start[: len(MAGIC)] != MAGIC or len(start) < len(MAGIC) + 8:
                raise PhrasesError(f"{path} 不是短语记忆文件。", f"{path} is not a phrase memory.")
            if length > MAX_HEADER:
                raise damaged(path, "header")
            header = json.loads(file.read(length))
            if header["version"] not in (1, VERSION):
                raise PhrasesError(
                    f"短语记忆 {path} 的版本是 {header['version']!r}，本程序只读到版本 {VERSION}。",
                    f"The phrase memory {path} is of version {header['version']!r}; this reads "
                    f"versions up to {VERSION}.",
                )
            status = os.fstat(file.fileno())
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
            return header, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), stamp
    except OSError as error:
        why = error.strerror or str(error)
        raise PhrasesError(f"无法读取 {path}：{why}", f"Cannot read {path}: {why}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(path, "header") from error


def _natural(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("sizes")
    return value
