"""Ids of much text, quickly: a table for characters that are tokens of their own, and the tokenizer
only for what stands between them, each different piece once."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from qingyu.numbers import IntArray
from qingyu.text.tokenizer import Tokenizer, is_chinese, whole_text

END = -1  # of a text
_OTHER = -2
_SKIPPED = -3
MAX_PIECES = 1 << 19
HIGHEST = 0x32400  # code points beyond are never Chinese


class Splitter:
    """Texts to ids, as the tokenizer has them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._alone = _alone(tokenizer) if tokenizer.parts_characters else None
        self._names = [tokenizer.id_to_token(i) for i in sorted(tokenizer.special_ids)]
        self._pieces: dict[str, IntArray] = {}

    def ids(self, texts: Sequence[str]) -> IntArray:
        """int64: the ids of all texts, END after each. Raises InputError on half a surrogate
        pair."""
        if self._alone is None:
            found = [token_id for ids in self._tokenizer.batch(texts) for token_id in (*ids, END)]
            return np.array(found, np.int64)
        named = [any(name in text for name in self._names) for text in texts]
        if any(named):  # a special token by its name is for the tokenizer to find
            slow = iter(self._tokenizer.batch([t for t, n in zip(texts, named, strict=True) if n]))
            parts = [
                np.array([*next(slow), END], np.int64) if name else self.ids([text])
                for text, name in zip(texts, named, strict=True)
            ]
            return np.concatenate(parts)
        return self._quick(
            "".join(f"{text.replace(chr(10), chr(32))}\n" for text in texts), self._alone
        )

    def _quick(self, text: str, alone: IntArray) -> IntArray:
        text = whole_text(text)
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        found = alone[np.minimum(codes, len(alone) - 1)]
        other = found == _OTHER
        edges = np.flatnonzero(np.diff(other, prepend=False, append=False))
        parts, last = [], 0
        for start, end in edges.reshape(-1, 2).tolist():
            parts += [found[last:start], self._piece(text[start:end])]
            last = end
        parts.append(found[last:])
        joined = np.concatenate(parts)
        return np.asarray(joined[joined != _SKIPPED])

    def _piece(self, piece: str) -> IntArray:
        known = self._pieces.get(piece)
        if known is None:
            known = np.array(self._tokenizer.tokens(piece).ids, np.int64)
            if len(self._pieces) < MAX_PIECES:
                self._pieces[piece] = known
        return known


@lru_cache(maxsize=8)
def _alone(tokenizer: Tokenizer) -> IntArray:
    """For each code point: its id if it is a token by itself wherever it stands, or what to do
    with it. Line feeds end texts."""
    found = np.full(HIGHEST + 1, _OTHER, np.int64)
    chars = [
        char
        for char in map(chr, (*range(0x21, 0xD800), *range(0xF900, HIGHEST)))
        if is_chinese(char) or unicodedata.category(char).startswith("P")
    ]
    for char, ids in zip(chars, tokenizer.batch(chars), strict=True):
        if len(ids) == 1:
            found[ord(char)] = ids[0]
    found[[ord(" "), ord("\u3000"), ord("\t"), ord("\r")]] = _SKIPPED
    found[ord("\n")] = END
    return found
