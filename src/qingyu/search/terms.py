"""Words of a text for searching by words, and how well rows match them (BM25).

Chinese is not cut into words: its characters and pairs of neighbours are the terms, and runs of
Latin letters and digits are whole words. A term is a hash, so an index holds numbers alone.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qingyu.text.tokenizer import is_chinese

K1, B = 1.2, 0.75  # Robertson and Zaragoza 2009
ASCII = re.compile("[a-z0-9]+")


def terms(text: str) -> Counter[int]:
    """How often a text has each term, uint32 hashes."""
    text = text.lower()
    units = [*ASCII.findall(text), *(char for char in text if is_chinese(char))]
    units += [a + b for a, b in pairwise(text) if is_chinese(a) and is_chinese(b)]
    return Counter(zlib.crc32(word.encode()) for word in units)


@dataclass(frozen=True, eq=False)
class Postings:
    """Which rows have a term, and how often.

    terms   uint32 [t], ascending       starts int64 [t + 1], where the rows of each begin
    rows    int32 [p]                   counts uint16 [p]
    lengths int32 [n], terms of each row
    """

    terms: NDArray[np.uint32]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.uint16]
    lengths: NDArray[np.int32]

    def scores(self, text: str) -> NDArray[np.float32]:
        """BM25 of every row for a text, float32 [n]."""
        n = len(self.lengths)
        totals = np.zeros(n, np.float32)
        if not n:
            return totals
        norm = K1 * (1 - B + B * self.lengths / max(float(self.lengths.mean()), 1.0))
        for term in sorted(terms(text)):
            place = int(np.searchsorted(self.terms, np.uint32(term)))
            if place == len(self.terms) or int(self.terms[place]) != term:
                continue
            part = slice(int(self.starts[place]), int(self.starts[place + 1]))
            rows, counts = self.rows[part], self.counts[part].astype(np.float64)
            rarity = np.log(1 + (n - len(rows) + 0.5) / (len(rows) + 0.5))
            totals[rows] += (rarity * counts * (K1 + 1) / (counts + norm[rows])).astype(np.float32)
        return totals


def post(texts: Sequence[str]) -> Postings:
    """The postings of texts."""
    hashes: list[int] = []
    rows: list[int] = []
    counts: list[int] = []
    lengths = np.zeros(len(texts), np.int32)
    for row, text in enumerate(texts):
        own = terms(text)
        lengths[row] = sum(own.values())
        hashes += own.keys()
        counts += own.values()
        rows += [row] * len(own)
    all_terms = np.array(hashes, np.uint32)
    order = np.argsort(all_terms, kind="stable")
    unique, first = np.unique(all_terms[order], return_index=True)
    return Postings(
        unique,
        np.append(first, len(order)).astype(np.int64),
        np.array(rows, np.int32)[order],
        np.minimum(np.array(counts, np.int64)[order], 65535).astype(np.uint16),
        lengths,
    )
