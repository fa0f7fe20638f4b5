"""Answers already given, bounded in bytes, least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

ENTRY_OVERHEAD = 320  # bytes of the dictionary slot, key tuple and objects of one entry (measured)


@dataclass(frozen=True)
class Answer:
    """One result as it goes out: its JSON in UTF-8, and the tokens it cost to compute."""

    body: bytes
    tokens: int


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
        self._entries: OrderedDict[Hashable, tuple[Answer, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> Answer | None:
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, answer: Answer, key_bytes: int) -> None:
        """Keep `answer`; `key_bytes` is what the key's own text takes. Larger than a sixteenth of
        the limit is not kept: it would push out too many others."""
        size = len(answer.body) + key_bytes + ENTRY_OVERHEAD
        if size > self.limit // 16:
            return
        old = self._entries.pop(key, None)
        if old is not None:
            self.bytes -= old[1]
        self._entries[key] = (answer, size)
        self.bytes += size
        while self.bytes > self.limit:
            _, (_, gone) = self._entries.popitem(last=False)
            self.bytes -= gone

    def clear(self) -> None:
        self._entries.clear()
        self.bytes = 0
