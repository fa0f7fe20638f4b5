"""ONNX Runtime as an engine: the graphs of a bundle, run one after another."""

from __future__ import annotations

import threading

from qingyu.bundle import Manifest
from qingyu.engine.backend import Refusal
from qingyu.engine.batch import PackedBatch, feeds, layout
from qingyu.engine.session import Session
from qingyu.numbers import FloatArray


def refusal(manifest: Manifest) -> Refusal | None:
    """None: every bundle holds graphs, and they run wherever this package does."""
    del manifest
    return None


class OnnxEngine:
    """The shared layers run once a batch, as far as its heads read; then a graph a head.

    A head's session is made when it is first wanted.
    """

    name = "onnx"

    def __init__(self, manifest: Manifest, threads: int | None = None) -> None:
        """Raises BundleError where a graph cannot be read."""
        self._manifest = manifest
        self._threads = threads
        self._segments = {
            end: Session(manifest.path / file, threads) for end, file in manifest.segments.items()
        }
        self._heads: dict[str, Session] = {}
        self._lock = threading.Lock()

    @property
    def memory_bytes(self) -> int:
        """Its files: weights are packed anew as a session is made, and then let go."""
        return self._manifest.bytes

    def run(self, batch: PackedBatch) -> list[FloatArray]:
        """See `Engine`. Raises ValueError where a group reads earlier layers than one before it."""
        answers: list[FloatArray] = []
        groups = [(group.head, batch.part(group.first, group.end)) for group in batch.groups]
        states: FloatArray | None = None
        for end, segment in self._segments.items():
            going = [self._read(head, part, end) for head, part in groups]
            given = feeds(PackedBatch.joined(going))
            hidden = segment.run(given if states is None else given | {"hidden": states})
            while groups and self._manifest.branch(groups[0][0]) == end:
                count = len(going.pop(0).positions)
                answers.append(self._answer(*groups.pop(0), hidden[:count]))
                hidden = hidden[count:]
            if not groups:
                return answers
            states = hidden
        raise ValueError("groups should stand in the order of the layers they read")

    def close(self) -> None:
        """See `Engine`. A batch under way keeps its sessions until it is done."""
        self._segments, self._heads = {}, {}

    def _read(self, head: str, part: PackedBatch, end: int) -> PackedBatch:
        """The sequences of a head, asked for the rows that it, or the next layer, reads of what
        layer `end` gives: those asked for at the end, else all.
        """
        more_layers = end < self._manifest.sizes.num_layers or self._own_layers(head)
        return part.asking_all() if more_layers else part

    def _own_layers(self, head: str) -> int:
        return self._manifest.heads[head].own_layers if head else 0

    def _answer(self, head: str, asked: PackedBatch, hidden: FloatArray) -> FloatArray:
        """What a head says to the rows asked for, of the hidden states that `_read` wanted."""
        if self._own_layers(head):
            return self._session(head).run({"hidden": hidden, **layout(asked)})
        if len(hidden) != len(asked.positions):
            hidden = hidden[layout(asked)["rows"]]
        return self._session(head).run({"hidden": hidden}) if head else hidden

    def _session(self, head: str) -> Session:
        with self._lock:
            if head not in self._heads:
                path = self._manifest.path / self._manifest.heads[head].file
                self._heads[head] = Session(path, self._threads)
            return self._heads[head]
