"""The rows a head is fitted on: vectors, and beside them the runs of characters of each text.

Shapes: n rows, d numbers of a vector, g runs, k labels, m runs found in all rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qingyu.numbers import FloatArray
from qingyu.taught import grams_of, weighed

Array = NDArray[np.float64]
MOST_GRAMS = 20_000
LEAST_TEXTS = 2  # a run of characters that one text alone has teaches nothing about others


def common_grams(texts: Sequence[str]) -> tuple[dict[str, int], FloatArray]:
    """Runs of characters that several texts have, the commonest first, and their rarity float32
    [g]: log((1 + n) / (1 + texts with it)) (Sparck Jones 1972)."""
    counts = Counter(gram for text in texts for gram in grams_of(text))
    kept = [one for one in counts.most_common(MOST_GRAMS) if one[1] >= LEAST_TEXTS]
    kept.sort(key=lambda item: (-item[1], item[0]))
    rarity = np.log((1 + len(texts)) / (1 + np.array([count for _, count in kept], np.float64)))
    return {gram: i for i, (gram, _) in enumerate(kept)}, rarity.astype(np.float32)


class Design:
    """A matrix [n, d + g] whose last g columns are mostly zeros."""

    def __init__(self, dense: Array, grams: Sequence[tuple[NDArray[np.int64], FloatArray]], g: int):
        """dense [n, d]; for each row the columns and values of its runs."""
        self.dense, self.g = dense, g
        lengths = np.array([len(columns) for columns, _ in grams], np.int64)
        self._rows = np.repeat(np.arange(len(grams)), lengths)
        self._columns = np.concatenate([c for c, _ in grams] or [np.empty(0, np.int64)])
        self._values = np.concatenate([v for _, v in grams] or [np.empty(0, np.float32)]).astype(
            np.float64
        )
        self._by_column = np.argsort(self._columns, kind="stable")

    @classmethod
    def of(
        cls, dense: Array, texts: Sequence[str], grams: dict[str, int], rarity: FloatArray
    ) -> Design:
        return cls(dense, [weighed(text, grams, rarity) for text in texts], len(grams))

    def __len__(self) -> int:
        return len(self.dense)

    @property
    def width(self) -> int:
        return int(self.dense.shape[1]) + self.g

    def times(self, weights: Array) -> Array:
        """The matrix times weights [d + g, k]: [n, k]."""
        d = self.dense.shape[1]
        product = self.dense @ weights[:d]
        if len(self._rows):
            parts = weights[d:][self._columns] * self._values[:, None]
            product += _summed(parts, self._rows, len(self))
        return np.asarray(product, np.float64)

    def back(self, errors: Array) -> Array:
        """The transposed matrix times errors [n, k]: [d + g, k]."""
        order = self._by_column
        parts = errors[self._rows[order]] * self._values[order, None]
        return np.concatenate([self.dense.T @ errors, _summed(parts, self._columns[order], self.g)])

    def turned(self) -> tuple[Design, Array]:
        """The same rows in as few numbers as there are rows, and what takes weights for those
        [r, k] back to weights for these: [d + g, r].

        Fits with a penalty on squares know rows by their products with each other alone, and
        these stay as they are (the representer theorem; Schoelkopf et al. 2001).
        """
        whole = np.zeros((len(self), self.width))
        d = self.dense.shape[1]
        whole[:, :d] = self.dense
        whole[self._rows, d + self._columns] = self._values
        values, vectors = np.linalg.eigh(whole @ whole.T)
        kept = values > values.max() * 1e-10
        length = np.sqrt(values[kept])
        few = Design(vectors[:, kept] * length, [_NO_GRAMS] * len(self), 0)
        return few, whole.T @ (vectors[:, kept] / length)

    def part(self, chosen: NDArray[np.int64]) -> Design:
        """Some of the rows, int64 [c] of their indices in ascending order."""
        ends = np.searchsorted(self._rows, np.arange(len(self) + 1))
        grams = [
            (self._columns[ends[i] : ends[i + 1]], self._values[ends[i] : ends[i + 1]])
            for i in chosen
        ]
        return Design(self.dense[chosen], grams, self.g)  # type: ignore[arg-type]


_NO_GRAMS = (np.empty(0, np.int64), np.empty(0, np.float32))


def _summed(parts: Array, places: NDArray[np.int64], size: int) -> Array:
    """Rows [m, k] added up by their place, ascending: [size, k]."""
    sums = np.zeros((size, parts.shape[1]))
    if len(places):
        first = np.flatnonzero(np.diff(places, prepend=-1))
        sums[places[first]] = np.add.reduceat(parts, first, axis=0)
    return sums
