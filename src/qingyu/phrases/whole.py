"""Phrases of lists as wholes: each token of a short phrase by all its others.

A phrase is stored under its own tokens, and again with the boundaries beside it, which say more: a
name between commas is that name. It is stored with one more token hidden too, so that it fills two
masks; the mask's own symbol stands for the hidden one. How far each is to be trusted, running text
says: where other words stand between these neighbours, a phrase that nobody uses is not believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qingyu.phrases.count import beginnings, token_bits, trusts, with_token
from qingyu.phrases.spool import Spool
from qingyu.phrases.votes import Entries
from qingyu.text.phrases import BOUNDARY, KIND_CODES, KINDS, MULTIPLIERS, REACH, Codes, mixed

LENGTHS = (3, 4)  # tokens
LEAST_TRUST = 4
LISTED = 3  # times that a phrase counts for being in a list, beside running text
# What a phrase is worth that running text does not have, beside the doublings of one that it has.
UNSEEN, UNSEEN_HIDDEN = 1.0, 0.25
ENOUGH = 1 << 26  # symbols of running text, to see what stands in it
PIECE = 1 << 20
FILTER_BITS = 24


class Pattern(NamedTuple):
    """A kind of context, with the place of a token in it that is hidden, before or behind; 0 for
    none."""

    kind: int
    hidden: int


def whole_phrases(spool: Spool) -> Entries:
    """What the phrases of lists say of their tokens; worth most are those that running text uses
    often, and those that know all neighbours."""
    bits = token_bits(spool.tokenizer.vocab_size)
    mask = (spool.tokenizer.mask_id or 0) + 1
    listed: dict[Pattern, list[Codes]] = {}
    for phrases in _phrases(spool):
        for pattern, around, here in _patterns(phrases):
            keys = with_token(_hashes(around, pattern, mask), here, bits)
            listed.setdefault(pattern, []).append(keys)
    found = [Entries(np.zeros(0, np.uint64), np.zeros(0, np.uint8), np.zeros(0, np.float32))]
    for pattern, parts in listed.items():
        found.append(_trusted(spool, pattern, np.unique(np.concatenate(parts)), mask, bits))
    return Entries.joined(found)


def _phrases(spool: Spool) -> Iterator[NDArray[Any]]:
    """The different phrases of each length, with a boundary on either side: [n, length + 2]."""
    symbols = spool.symbols()
    for length in LENGTHS:
        rows = [np.zeros((0, length + 2), symbols.dtype)]
        for segment in spool.segments:
            if segment.phrases:
                around = symbols[segment.start - 1 : segment.end + 1]
                marks = np.flatnonzero(around == BOUNDARY)
                first = marks[:-1][np.diff(marks) == length + 1]
                rows.append(around[first[:, None] + np.arange(length + 2)])
        yield np.unique(np.concatenate(rows), axis=0)


def _patterns(
    phrases: NDArray[Any],
) -> Iterator[tuple[Pattern, NDArray[Any], NDArray[Any]]]:
    """Every way to ask for a token of phrases [n, 1 + length + 1]: the pattern, the symbols from
    REACH before the token to REACH behind it, and the token's own."""
    length = phrases.shape[1] - 2
    for place in range(length):
        around = np.zeros((len(phrases), 2 * REACH + 1), phrases.dtype)
        around[:, REACH - place : REACH - place + length] = phrases[:, 1:-1]
        here = phrases[:, 1 + place]
        behind = length - 1 - place
        for before, after in product((0, 1), repeat=2):
            kind = (place + before, behind + after)
            if kind in KINDS:
                yield Pattern(KINDS.index(kind), 0), around, here
                for hidden in range(length):
                    if hidden != place:
                        yield Pattern(KINDS.index(kind), hidden - place), around, here


def _hashes(around: NDArray[Any], pattern: Pattern, mask: int) -> Codes:
    """Hashes of the contexts of symbols [n, 2 REACH + 1], or of all places of a run of symbols
    [n + 2 REACH]."""
    before, after = KINDS[pattern.kind]
    count = around.shape[0] if around.ndim == 2 else len(around) - 2 * REACH
    sums = np.full(count, KIND_CODES[pattern.kind], np.uint64)
    for offset in (*range(-before, 0), *range(1, after + 1)):
        if offset == pattern.hidden:
            sums += np.array([mask], np.uint64) * MULTIPLIERS[REACH + offset]
        else:
            at = REACH + offset
            symbols = around[:, at] if around.ndim == 2 else around[at : at + count]
            sums += symbols.astype(np.uint64) * MULTIPLIERS[at]
    return mixed(sums)


def _trusted(spool: Spool, pattern: Pattern, keys: Codes, mask: int, bits: int) -> Entries:
    """Sorted keys of a pattern with the trust that running text leaves them; those that it leaves
    little are dropped."""
    shift = np.uint64(bits)
    first = beginnings(keys >> shift)
    contexts = keys[first] >> shift
    of_key = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(keys))))
    counts = np.full(len(keys), LISTED, np.int64)
    others = np.zeros(len(contexts), np.int64)
    some = np.zeros(1 << FILTER_BITS, bool)
    some[_slots(keys)] = True
    for weight, around in _running_text(spool):
        here = around[REACH : len(around) - REACH]
        found = with_token(_hashes(around, pattern, mask), here, bits)
        found = found[some[_slots(found)] & (here != BOUNDARY)]
        at = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
        same = keys[at] == found
        counts += weight * np.bincount(at[same], minlength=len(keys))
        found = found[~same] >> shift
        at = np.minimum(np.searchsorted(contexts, found), len(contexts) - 1)
        others += weight * np.bincount(at[contexts[at] == found], minlength=len(contexts))
    totals = others + np.bincount(of_key, counts, len(contexts)).astype(np.int64)
    trust = trusts(counts, totals[of_key], sum(KINDS[pattern.kind]))
    kept = trust >= LEAST_TRUST
    least = UNSEEN_HIDDEN if pattern.hidden else UNSEEN
    worth = trust * (np.log2(1.0 + counts - LISTED) + least)
    return Entries(keys[kept], trust[kept], worth[kept].astype(np.float32))


def _slots(keys: Codes) -> Codes:
    return np.asarray(keys >> np.uint64(64 - FILTER_BITS))


def _running_text(spool: Spool) -> Iterator[tuple[int, NDArray[Any]]]:
    """(weight, symbols with REACH more at either end) of what is no list: all of a small text, of
    a large one pieces spread over it."""
    symbols = spool.symbols()
    running = [segment for segment in spool.segments if not segment.phrases]
    every = max(1, sum(one.end - one.start for one in running) // ENOUGH)
    for segment in running:
        for start in range(segment.start, segment.end, PIECE * every):
            end = min(start + PIECE, segment.end)
            yield segment.weight, np.asarray(symbols[start - REACH : end + REACH])
