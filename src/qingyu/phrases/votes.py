"""Which contexts are worth keeping: each place of a text votes for the one that says most of it.

Around a place stand many contexts that say the same, and one is enough. A place votes for the
most trusted, of those the most often seen, of those the smallest; and with less weight for the
best before it and the best behind it, which serve when its other side is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qingyu.numbers import FloatArray, IntArray
from qingyu.phrases.count import (
    Counted,
    beginnings,
    counted,
    keys_of,
    looked_up,
    parts_of,
    token_bits,
    weights_at,
)
from qingyu.phrases.spool import Spool
from qingyu.text.phrases import KINDS, Codes

SIDES = 3  # what a place votes for: the best of all, before it, behind it
SIDE_WEIGHTS = (1.0, 0.1, 0.1)
LEAST_COUNT = 2
LEAST_TRUST = 2
STEPS_OF_COUNTS = 64
STEPS_A_DOUBLING = 5

Gain: TypeAlias = Callable[[NDArray[np.uint8], NDArray[np.uint8], IntArray], FloatArray]
"""What an entry adds each time it is met, by its trust, how often it was counted (in steps of
`steps_of`) and its token."""


@dataclass(frozen=True)
class Entries:
    """Entries of a table: sorted `keys` uint64 [n], `trusts` uint8 [n], and what each is worth,
    float32 [n]."""

    keys: Codes
    trusts: NDArray[np.uint8]
    worth: FloatArray

    @staticmethod
    def joined(parts: list[Entries]) -> Entries:
        """The entries of all, in the order of their keys; of two alike, the more trusted."""
        keys = np.concatenate([part.keys for part in parts])
        trusts = np.concatenate([part.trusts for part in parts])
        worth = np.concatenate([part.worth for part in parts])
        order = np.lexsort((-trusts.astype(np.int64), keys))
        order = order[beginnings(keys[order])]
        return Entries(keys[order], trusts[order], worth[order])

    def best(self, most: int) -> Entries:
        """At most so many, those worth most; the order is kept."""
        if len(self.keys) <= most:
            return self
        kept = np.sort(np.argsort(-self.worth, kind="stable")[:most])
        return Entries(self.keys[kept], self.trusts[kept], self.worth[kept])


def steps_of(counts: IntArray) -> NDArray[np.uint8]:
    """Counts in steps of a fifth of a power of two, at most 63."""
    steps = np.log2(np.maximum(counts, 1)) * STEPS_A_DOUBLING
    return np.asarray(np.minimum(steps, STEPS_OF_COUNTS - 1), np.uint8)


def voted(
    spool: Spool,
    gain: Gain,
    most: int,
    threads: int,
    at_once: int,
    progress: Callable[[float], object],
) -> Entries:
    """The `most` entries of a text that are worth most, by the votes of its places."""
    codes = spool.scratch("codes", np.uint16, (SIDES, spool.length))
    kinds = spool.scratch("kinds", np.uint8, (SIDES, spool.length))
    done = 0
    for found in _in_order(spool, at_once, threads):
        code = (found.trusts.astype(np.uint16) * STEPS_OF_COUNTS + steps_of(found.counts)) + 1
        good = (found.counts >= LEAST_COUNT) & (found.trusts >= LEAST_TRUST)
        of_places = looked_up(found.keys[good], code[good].astype(np.uint16), found.of_places)
        some = np.flatnonzero(of_places)
        at, of_places = found.places[some], of_places[some]
        before, after = KINDS[found.kind]
        for side, fits in enumerate((True, not after, not before)):
            if fits:
                better = of_places > codes[side][at]
                codes[side][at[better]] = of_places[better]
                kinds[side][at[better]] = found.kind
        if found.last:
            done += 1
            progress(0.7 * done / len(KINDS))
    chosen: list[Entries] = []
    for kind in range(len(KINDS)):
        chosen.append(_elected(spool, kind, codes, kinds, gain))
        if sum(len(one.keys) for one in chosen) > 2 * most:
            chosen = [Entries.joined(chosen).best(most)]
        progress(0.7 + 0.3 * (kind + 1) / len(KINDS))
    return Entries.joined(chosen).best(most)


def _elected(
    spool: Spool,
    kind: int,
    codes: NDArray[np.uint16],
    kinds: NDArray[np.uint8],
    gain: Gain,
) -> Entries:
    """The entries of one kind that some place voted for."""
    bits = token_bits(spool.tokenizer.vocab_size)
    sides = [np.flatnonzero((kinds[side] == kind) & (codes[side] > 0)) for side in range(SIDES)]
    places = np.concatenate(sides)
    code = np.concatenate([codes[side][at] for side, at in enumerate(sides)]) - 1
    votes = np.concatenate(
        [
            np.full(len(at), weight, np.float32)
            for at, weight in zip(sides, SIDE_WEIGHTS, strict=True)
        ]
    )
    votes *= weights_at(spool.segments, places)
    keys = keys_of(spool, places, kind)
    order = np.argsort(keys)  # what is alike is summed up, whatever its order
    keys, code, votes = keys[order], code[order], votes[order]
    first = beginnings(keys)
    if not len(first):
        return Entries(keys, code.astype(np.uint8), votes)
    tokens = (keys[first] & np.uint64((1 << bits) - 1)).astype(np.int64)
    trusts = (code[first] // STEPS_OF_COUNTS).astype(np.uint8)
    worth = np.add.reduceat(votes, first) * gain(trusts, code[first] % STEPS_OF_COUNTS, tokens)
    return Entries(keys[first], trusts, worth.astype(np.float32))


def _in_order(spool: Spool, at_once: int, threads: int) -> Iterator[Counted]:
    """All that is counted, kind by kind, a few parts in the making at a time."""
    jobs = iter(parts_of(spool, at_once))
    if threads == 1:
        yield from (counted(spool, *job) for job in jobs)
        return
    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(counted, spool, *job) for job in islice(jobs, threads)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(counted, spool, *job) for job in islice(jobs, 1)]
