"""Answers already given, bounded in bytes, in memory of their own."""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

from .calls import Answer, Call

ENTRY_OVERHEAD = 448  # bytes of key, place and dictionary slot of one entry (measured)
BODIES = 0.7  # share of the limit that answers lie in; the rest is for what finds them


def keys_of(digest: str, calls: Iterable[Call]) -> Iterator[bytes]:
    """Names of the answers of a model to calls: hashes, since a call itself would take several
    times the answer's room. What the calls share (labels, words) is hashed once."""
    shared: dict[int, bytes] = {}
    for call in calls:
        named = blake2b(f"{digest} {call.task}".encode(), digest_size=16)
        beside = [part for part in (call.phrases, call.own) if part]
        for part in (*call.inputs, call.parameters, *beside):
            if isinstance(part, str):
                named.update(_hash(part))
                continue
            if id(part) not in shared:  # calls keep it alive, so no other has its number
                shared[id(part)] = _hash(part)
            named.update(shared[id(part)])
        yield named.digest()


def _hash(part: object) -> bytes:
    return blake2b(repr(part).encode(), digest_size=16).digest()


class RingPlace(NamedTuple):
    """Where an answer lies; `written` is how many bytes had been kept before it."""

    start: int
    size: int
    tokens: int
    written: int


class Cache:
    """From key to `Answer`. Belongs to one event loop and takes no lock.

    Answers are written one after another round a ring, over the oldest; one that is read when about
    half of the others are newer is written anew, so what is used stays. On the common heap they
    would lie between the arrays of batches and keep those from being joined and given back. The
    ring is taken at once, so that it does not grow in the first minutes.

    The key carries everything the answer depends on (model digest, task, parameters, text), so an
    entry can go stale in no way and is only ever dropped for room. `limit` is in bytes; 0 keeps
    nothing.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._room = int(limit * BODIES)
        self._ring = mmap.mmap(-1, self._room) if self._room else None
        if self._ring is not None:
            self._ring.write(bytes(self._room))
        self._next = 0
        self._written = 0
        self._places: OrderedDict[Hashable, RingPlace] = OrderedDict()  # as they were written

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: Hashable) -> Answer | None:
        place = self._places.get(key)
        if place is None or self._ring is None:
            self.misses += 1
            return None
        self.hits += 1
        answer = Answer(self._ring[place.start : place.start + place.size], place.tokens)
        if self._written - place.written > self._room // 2:
            self.put(key, answer)
        return answer

    def size_of(self, key: Hashable) -> int | None:
        """Bytes of an answer that is here, without using it; may be called in any thread."""
        place = self._places.get(key)
        return None if place is None else place.size

    def put(self, key: Hashable, answer: Answer) -> None:
        """Keep `answer`. One larger than a sixteenth of the limit is not kept: it would push out
        too many others."""
        size = len(answer.body)
        if self._ring is None or size + ENTRY_OVERHEAD > self.limit // 16:
            return
        if key in self._places:
            self._drop(key)
        start = self._make_room(size)
        self._ring[start : start + size] = answer.body
        self._places[key] = RingPlace(start, size, answer.tokens, self._written)
        self._next = start + size
        self._written += size + ENTRY_OVERHEAD
        self.bytes += size + ENTRY_OVERHEAD
        while self.bytes > self.limit:
            self._drop(next(iter(self._places)))

    def _make_room(self, size: int) -> int:
        """Where the next `size` bytes go; the oldest, which lie there, are dropped."""
        start = self._next if self._next + size <= self._room else 0
        while self._places:
            oldest = next(iter(self._places))
            begin = self._places[oldest].start
            skipped = start < self._next <= begin  # at the end of the ring, when it begins anew
            if not skipped and not start <= begin < start + size:
                break
            self._drop(oldest)
        return start

    def _drop(self, key: Hashable) -> None:
        self.bytes -= self._places.pop(key).size + ENTRY_OVERHEAD

    def clear(self) -> None:
        self._places.clear()
        self.bytes = 0
