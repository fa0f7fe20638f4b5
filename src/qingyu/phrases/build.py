"""Texts to a phrase memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import EmptyTextError
from qingyu.numbers import FloatArray, IntArray
from qingyu.phrases.count import (
    AT_ONCE,
    counted,
    keys_of,
    parts_of,
    token_bits,
)
from qingyu.phrases.gates import preset
from qingyu.phrases.spool import Spool
from qingyu.phrases.votes import STEPS_A_DOUBLING, Entries, Gain, voted
from qingyu.phrases.whole import whole_phrases
from qingyu.phrases.write import packed
from qingyu.text.phrases import (
    BOUNDARY,
    KINDS,
    SIZES,
    TRUSTS,
    PhraseTable,
)

MOST = 4_000_000  # entries: 18 MB
# Small texts are kept whole: as many contexts of a place as are worth looking up.
CONTEXTS_KEPT = 10
LEAST_TRUST = 1
LISTED = 5  # at most so large a part of a memory are phrases of lists as wholes
# What stands in a list of phrases is known by heart where it is likelier than not.
TRUST_BY_HEART = 9
SIZE_BY_HEART = 2


@dataclass(frozen=True)
class Counting:
    """How a memory is made.

    most:    entries at most; more are thinned to those worth most
    threads: that count side by side
    at_once: keys sorted together by each
    """

    most: int = MOST
    threads: int = 1
    at_once: int = AT_ONCE


def build(
    spool: Spool,
    how: Counting = Counting(),
    progress: Callable[[float], object] = float,
) -> list[PhraseTable]:
    """The tables of what was spooled: of all text, and where there are lists, of their short
    phrases as wholes. `progress` is told the share that is done. Raises EmptyTextError."""
    if not spool.texts:
        raise EmptyTextError
    listed = any(segment.phrases for segment in spool.segments)
    phrases = whole_phrases(spool).best(how.most // LISTED) if listed else None
    most = how.most - (len(phrases.keys) if phrases else 0)
    whole = spool.length * CONTEXTS_KEPT <= most
    if whole:
        entries = _all(spool, how.at_once, progress).best(most)
    else:
        entries = voted(spool, gain_by(spool), most, how.threads, how.at_once, progress)
    entries = by_heart(spool, entries)
    bits = token_bits(spool.tokenizer.vocab_size)
    tables = [packed(entries, bits, preset("whole" if whole else "thinned"), _about(spool, whole))]
    if phrases and len(phrases.keys):
        tables.append(packed(phrases, bits, preset("listed"), {"listed": True}))
    return tables


# What an entry adds to the default model each time it is met, in nats, by its trust, were it seen
# once; and how that falls with the times it was seen, since a model knows what is frequent.
# Measured on 22,926 masks of held-out text with all contexts of 165 million tokens.
GAINS = np.array(
    [0, 0, 0.06, 0.1, 0.15, 0.22, 0.35, 0.55, 0.8, 1.1, 1.6, 2.4, 2.6, 2.8, 2.5, 2.0], np.float32
)
FALL = 0.5
RARE = 0.25  # and a rare token adds more than a frequent one


def gain_by(spool: Spool) -> Gain:
    """What entries add, by the measure above."""
    shares = np.zeros(spool.tokenizer.vocab_size + 1)
    for _, around in spool.blocks():
        shares += np.bincount(around, minlength=len(shares))[: len(shares)]
    rarity = ((shares[1:] + 1) / (spool.length + 1)) ** -RARE

    def gain(trusts: NDArray[np.uint8], steps: NDArray[np.integer], tokens: IntArray) -> FloatArray:
        return (GAINS[trusts] * 2.0 ** (-FALL * steps / STEPS_A_DOUBLING) * rarity[tokens]).astype(
            np.float32
        )

    return gain


def _all(spool: Spool, at_once: int, progress: Callable[[float], object]) -> Entries:
    found = []
    for kind, part, parts in parts_of(spool, at_once):
        one = counted(spool, kind, part, parts)
        kept = one.trusts >= LEAST_TRUST
        worth = one.counts[kept].astype(np.float32)
        found.append(Entries(one.keys[kept], one.trusts[kept], worth))
        progress((kind + (part + 1) / parts) / len(KINDS))
    return Entries.joined(found)


def by_heart(spool: Spool, entries: Entries) -> Entries:
    """The same entries, with full trust in what stands in a list of phrases, as far as text does
    not say otherwise."""
    known = [np.zeros(0, np.uint64)]
    symbols = spool.symbols()
    for segment in spool.segments:
        if segment.phrases:
            places = np.arange(segment.start, segment.end)
            places = places[symbols[places] != BOUNDARY]
            known += [
                np.unique(keys_of(spool, places, kind))
                for kind in range(len(KINDS))
                if SIZES[kind] >= SIZE_BY_HEART
            ]
    listed = np.isin(entries.keys, np.concatenate(known))
    sure = listed & (entries.trusts >= TRUST_BY_HEART)
    return replace(entries, trusts=np.where(sure, np.uint8(TRUSTS - 1), entries.trusts))


def _about(spool: Spool, whole: bool) -> dict[str, Any]:
    return {
        "texts": spool.texts,
        "characters": spool.characters,
        "thinned": not whole,
    }
