"""Answers already given, bounded in bytes, least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from hashlib import blake2b

from .work import Answer, Call

# Bytes of one entry beside the answer's own: dictionary slot, key, objects, and what the heap
# rounds up and leaves between (measured as resident memory after much coming and going).
ENTRY_OVERHEAD = 512


def key_of(digest: str, call: Call) -> bytes:
    """Names the answer of a model to a call: a hash, since the call itself would take several times
    the answer's room."""
    named = repr((digest, call.task, call.inputs, call.parameters))
    return blake2b(named.encode(), digest_size=16).digest()


class Cache:
    """From key to `Answer`. Belongs to one event loop and takes no lock.

    The key carries everything the answer depends on (model digest, task, parameters, text), so an
    entry can go stale in no way and is only ever dropped for room. `limit` is in bytes; 0 keeps
    nothing.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[Hashable, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> Answer | None:
        answer = self._entries.get(key)
        if answer is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return answer

    def put(self, key: Hashable, answer: Answer) -> None:
        """Keep `answer`. One larger than a sixteenth of the limit is not kept: it would push out
        too many others."""
        if _size(answer) > self.limit // 16:
            return
        old = self._entries.pop(key, None)
        if old is not None:
            self.bytes -= _size(old)
        self._entries[key] = answer
        self.bytes += _size(answer)
        while self.bytes > self.limit:
            _, gone = self._entries.popitem(last=False)
            self.bytes -= _size(gone)

    def clear(self) -> None:
        self._entries.clear()
        self.bytes = 0


def _size(answer: Answer) -> int:
    return len(answer.body) + ENTRY_OVERHEAD
