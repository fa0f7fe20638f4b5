"""Texts to a phrase memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import EmptyTextError
from qingyu.numbers import FloatArray, IntArray
from qingyu.phrases.count import (
    AT_ONCE,
    beginnings,
    counted,
    keys_of,
    parts_of,
    token_bits,
    trusts,
    with_token,
)
from qingyu.phrases.gates import preset
from qingyu.phrases.spool import PHRASE_WEIGHT, Spool
from qingyu.phrases.votes import STEPS_A_DOUBLING, Entries, Gain, voted
from qingyu.phrases.write import packed
from qingyu.text.phrases import (
    BOUNDARY,
    KINDS,
    REACH,
    SIZES,
    TRUSTS,
    Codes,
    PhraseTable,
    context_keys,
)

MOST = 4_000_000  # entries: 18 MB
# Small texts are kept whole: as many contexts of a place as are worth looking up.
CONTEXTS_KEPT = 10
LEAST_TRUST = 1
PHRASES_WITH_GAPS = (3, 4)  # tokens
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
) -> PhraseTable:
    """The table of what was spooled; `progress` is told the share that is done. Raises
    EmptyTextError."""
    if not spool.texts:
        raise EmptyTextError
    whole = spool.length * CONTEXTS_KEPT <= how.most
    if whole:
        entries = _all(spool, how.at_once, progress)
        if len(entries.keys) > how.most:
            entries = entries.best(how.most)
    else:
        gain = gain_by(spool)
        entries = voted(spool, gain, how.most, how.threads, how.at_once, progress)
    if any(segment.phrases for segment in spool.segments):
        entries = Entries.joined([entries, with_gaps(spool)]).best(how.most)
    entries = by_heart(spool, entries)
    bits = token_bits(spool.tokenizer.vocab_size)
    return packed(entries, bits, preset("whole" if whole else "thinned"), _about(spool, whole))


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


def with_gaps(spool: Spool) -> Entries:
    """Phrases of three or four tokens with one token hidden besides the one asked for, so that a
    phrase fills two masks; the mask's own symbol stands for the hidden one."""
    mask = spool.tokenizer.mask_id
    bits = token_bits(spool.tokenizer.vocab_size)
    symbols = spool.symbols()
    found = [np.zeros(0, np.uint64)]
    for segment in spool.segments:
        if mask is None or not segment.phrases:
            continue
        marks = np.flatnonzero(symbols[segment.start - 1 : segment.end] == BOUNDARY)
        lengths = np.diff(marks) - 1
        for length in PHRASES_WITH_GAPS:
            first = marks[:-1][lengths == length] + segment.start
            around = symbols[first[:, None] + np.arange(length)]
            found += [
                _gapped(around, place, hidden, mask + 1, bits)
                for place, hidden in permutations(range(length), 2)
            ]
    keys, counts = np.unique(np.concatenate(found), return_counts=True)
    contexts = beginnings(keys >> np.uint64(bits))
    spread = np.diff(np.append(contexts, len(keys)))
    totals = np.repeat(np.add.reduceat(counts, contexts), spread) if len(keys) else counts
    trust = trusts(PHRASE_WEIGHT * counts, PHRASE_WEIGHT * totals, REACH)
    trust[trust >= TRUST_BY_HEART] = TRUSTS - 1
    return Entries(keys, trust, PHRASE_WEIGHT * GAINS[trust])


def _gapped(around: NDArray[Any], place: int, hidden: int, mask: int, bits: int) -> Codes:
    """Sorted keys of a place in phrases [n, length] whose token `hidden` is not known."""
    seen = np.zeros((len(around), 2 * REACH + 1), np.uint64)
    seen[:, REACH - place : REACH - place + around.shape[1]] = around
    seen[:, REACH - place + hidden] = mask
    keys = context_keys(seen.ravel(), np.arange(len(around)) * (2 * REACH + 1) + REACH)
    kind = KINDS.index((place, around.shape[1] - 1 - place))
    return with_token(keys[:, kind], around[:, place], bits)


def _about(spool: Spool, whole: bool) -> dict[str, Any]:
    return {
        "texts": spool.texts,
        "characters": spool.characters,
        "thinned": not whole,
    }
