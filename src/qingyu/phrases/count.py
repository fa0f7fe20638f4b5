"""How often each token stands in each context, counted by sorting 64-bit keys.

A sorted key is the hash of a context with its lowest bits replaced by the token that stood there,
so that one sort brings together a context's tokens, and those of one token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qingyu.numbers import IntArray
from qingyu.phrases.spool import Segment, Spool
from qingyu.text.phrases import (
    BOUNDARY,
    KIND_CODES,
    KINDS,
    MULTIPLIERS,
    REACH,
    Codes,
    mixed,
)

AT_ONCE = 1 << 24  # keys sorted together
# What is taken off a count before it says in what share of cases it will be right, by the size of
# the context: a token seen once after one other says little, between four others much.
DISCOUNTS = np.array([0.9, 0.8, 0.6, 0.4])
# Trusts are steps of the log-odds of that share.
STEPS = np.array([-2.5, -1.8, -1.2, -0.7, -0.3, 0.1, 0.5, 0.9, 1.4, 1.9, 2.5, 3.1, 3.8, 4.6, 5.6])


@dataclass(frozen=True)
class Counted:
    """Some contexts of one kind, with all their tokens.

    last:   whether the kind is done with these
    keys:   uint64 [n], sorted and different: context and token
    counts: int64 [n], weighted
    trusts: uint8 [n]
    places: int64 [m], where they stand, in order
    of_places: uint64 [m], the key at each
    """

    kind: int
    last: bool
    keys: Codes
    counts: IntArray
    trusts: NDArray[np.uint8]
    places: IntArray
    of_places: Codes


def token_bits(vocab_size: int) -> int:
    return max(1, (vocab_size - 1).bit_length())


def trusts(
    counts: NDArray[np.floating] | IntArray, totals: IntArray, size: int
) -> NDArray[np.uint8]:
    """The trust in tokens seen so often in contexts of `size` tokens seen so often in all."""
    share = np.clip((counts - DISCOUNTS[size - 1]) / (totals + 1.0), 1e-4, 1 - 1e-4)
    return np.asarray(np.searchsorted(STEPS, np.log(share / (1 - share))), np.uint8)


def parts_of(spool: Spool, at_once: int = AT_ONCE) -> Iterator[tuple[int, int, int]]:
    """(kind, part, parts) of all that `counted` is to be called with."""
    parts = max(1, -(-spool.length // at_once))
    for kind in range(len(KINDS)):
        yield from ((kind, part, parts) for part in range(parts))


def counted(spool: Spool, kind: int, part: int, parts: int) -> Counted:
    """The contexts of a kind whose hashes fall to a part."""
    bits = np.uint64(token_bits(spool.tokenizer.vocab_size))
    of_places, places = _gathered(spool, kind, part, parts)
    ends = np.searchsorted(places, [segment.end for segment in spool.segments[:-1]])
    sources = np.split(of_places, ends)
    keys, counts = tallied(sources, [segment.weight for segment in spool.segments])
    contexts = beginnings(keys >> bits)
    spread = np.diff(np.append(contexts, len(keys)))
    totals = np.repeat(np.add.reduceat(counts, contexts), spread) if len(keys) else counts
    trust = trusts(counts, totals, sum(KINDS[kind]))
    return Counted(kind, part == parts - 1, keys, counts, trust, places, of_places)


def tallied(sources: Sequence[Codes], weights: Sequence[int]) -> tuple[Codes, IntArray]:
    """Different keys of all sources in order, and how often each comes, weighted.

    Sorting keys alone is many times faster than sorting them with something beside them, so those
    of each source are sorted by themselves.
    """
    found, sums = [], []
    for keys, weight in zip(sources, weights, strict=True):
        keys = np.sort(keys)
        first = beginnings(keys)
        found.append(keys[first])
        sums.append(np.diff(np.append(first, len(keys))) * weight)
    if len(found) == 1:
        return found[0], sums[0]
    joined = np.concatenate(found)
    order = np.argsort(joined, kind="stable")  # runs already sorted: a merge
    joined, total = joined[order], np.concatenate(sums)[order]
    first = beginnings(joined)
    return joined[first], np.add.reduceat(total, first) if len(first) else total


def looked_up(keys: Codes, values: NDArray[np.uint16], wanted: Codes) -> NDArray[np.uint16]:
    """The value of each wanted key; 0 where there is none. Values are not 0.

    A table with a slot a hash, tried twice. Of keys that share both their slots (about one in a
    thousand) all but one are lost, and a key that is not there is taken for another once in 2^16.
    """
    bits = max(4, len(keys).bit_length() + 3)
    found = np.zeros(len(wanted), np.uint16)
    for odd in (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93):
        table = np.zeros(1 << bits, np.uint32)
        slots = (keys * np.uint64(odd)) >> np.uint64(64 - bits)
        held = ((keys.astype(np.uint32) & np.uint32(0xFFFF)) << np.uint32(16)) | values
        table[slots] = held
        lost = table[slots] != held
        keys, values = keys[lost], values[lost]
        some = table[(wanted * np.uint64(odd)) >> np.uint64(64 - bits)]
        fits = (some >> np.uint32(16)) == (wanted & np.uint64(0xFFFF)).astype(np.uint32)
        np.copyto(found, (some & np.uint32(0xFFFF)).astype(np.uint16), where=fits & (found == 0))
    return found


def keys_of(spool: Spool, places: IntArray, kind: int) -> Codes:
    """Sorted keys of some places."""
    before, after = KINDS[kind]
    symbols = spool.symbols()
    sums = np.full(len(places), KIND_CODES[kind], np.uint64)
    for offset in (*range(-before, 0), *range(1, after + 1)):
        sums += symbols[places + offset].astype(np.uint64) * MULTIPLIERS[REACH + offset]
    return with_token(mixed(sums), symbols[places], token_bits(spool.tokenizer.vocab_size))


def keys_at(around: NDArray[np.integer], kind: int, bits: int) -> tuple[Codes, NDArray[np.bool_]]:
    """Sorted keys of places, from the symbols REACH before to REACH behind them, as a block of
    `Spool.blocks` has them; and which places have a context and a token worth counting."""
    before, after = KINDS[kind]
    count = len(around) - 2 * REACH
    sums = np.full(count, KIND_CODES[kind], np.uint64)
    seen = np.zeros(count, bool)
    for offset in (*range(-before, 0), *range(1, after + 1)):
        symbols = around[REACH + offset : REACH + offset + count]
        sums += symbols.astype(np.uint64) * MULTIPLIERS[REACH + offset]
        seen |= symbols != BOUNDARY
    here = around[REACH : REACH + count]
    for side, length in ((-1, before), (1, after)):
        if length > 1:  # nothing stands beyond the end of a text
            far, near = REACH + side * length, REACH + side * (length - 1)
            seen &= (around[far : far + count] != BOUNDARY) | (
                around[near : near + count] != BOUNDARY
            )
    return with_token(mixed(sums), here, bits), seen & (here != BOUNDARY)


def with_token(hashes: Codes, symbols: NDArray[np.integer], bits: int) -> Codes:
    """Hashes of contexts with their lowest bits replaced by tokens."""
    low = np.uint64((1 << bits) - 1)
    return np.asarray((hashes & ~low) | ((symbols.astype(np.uint64) - np.uint64(1)) & low))


def weights_at(segments: list[Segment], places: IntArray) -> IntArray:
    """How many times what stands at each place counts."""
    ends = np.array([segment.end for segment in segments])
    return np.array([s.weight for s in segments])[np.searchsorted(ends, places, side="right")]


def _gathered(spool: Spool, kind: int, part: int, parts: int) -> tuple[Codes, IntArray]:
    """Keys and places of the part of the contexts whose hashes fall to it."""
    tokenizer = spool.tokenizer
    bits = token_bits(tokenizer.vocab_size)
    skipped = [i + 1 for i in (tokenizer.unk_id, tokenizer.mask_id) if i is not None]
    keys, places = [], []
    for first, around in spool.blocks():
        clean = ~np.isin(around, skipped) if skipped else np.ones(len(around), bool)
        found, good = keys_at(around, kind, bits)
        before, after = KINDS[kind]
        for offset in range(-before, after + 1):
            good &= clean[REACH + offset : REACH + offset + len(good)]
        if parts > 1:
            good &= ((found >> np.uint64(32)) * np.uint64(parts)) >> np.uint64(32) == part
        at = np.flatnonzero(good)
        keys.append(found[at])
        places.append(at + first)
    return np.concatenate(keys), np.concatenate(places)


def beginnings(values: Codes) -> IntArray:
    """Where runs of equal values begin."""
    changed = np.ones(len(values), bool)
    changed[1:] = values[1:] != values[:-1]
    return np.flatnonzero(changed)
