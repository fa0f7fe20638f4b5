"""ONNX Runtime as an engine: the graphs of a bundle, run one after another."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import groupby

from qingyu.bundle import Manifest
from qingyu.engine.backend import CPU_BATCH_TOKENS, Refusal
from qingyu.engine.batch import PackedBatch, feeds, layout
from qingyu.engine.runtime import MISSING, is_installed
from qingyu.engine.session import Session
from qingyu.numbers import FloatArray


def refusal(manifest: Manifest) -> Refusal | None:
    """None where ONNX Runtime is installed: every bundle holds graphs."""
    del manifest
    return None if is_installed() else Refusal(*MISSING)


class OnnxEngine:
    """The shared layers run once a batch, as far as its heads read; then a graph a head.

    A session of a head, or of its own layers, is made when it is first wanted.
    """

    name = "onnx"
    batch_tokens = CPU_BATCH_TOKENS

    def __init__(self, manifest: Manifest, threads: int | None = None, pack: bool = True) -> None:
        """`pack` as in `Session`. Raises BundleError where a graph cannot be read."""
        self._manifest = manifest
        self._threads = threads
        self._pack = pack
        self._segments = {
            end: Session(manifest.path / file, threads, pack)
            for end, file in manifest.segments.items()
        }
        self._sessions: dict[str, Session] = {}
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
            final = end == self._manifest.sizes.num_layers
            read = [part.asking_all() if self._all(head, final) else part for head, part in groups]
            given = feeds(PackedBatch.joined(read))
            hidden = segment.run(given if states is None else given | {"states": states})
            leaving = [group for group in groups if self._manifest.branch(group[0]) == end]
            if leaving != groups[: len(leaving)]:
                raise ValueError("groups should stand in the order of the layers they read")
            for layers, members in groupby(leaving, key=lambda group: self._layers(group[0])):
                hidden = self._answer(list(members), layers, final, hidden, answers)
            groups, states = groups[len(leaving) :], hidden
            if not groups:
                return answers
        raise ValueError("a head branches off where no segment ends")

    def close(self) -> None:
        """See `Engine`. A batch under way keeps its sessions until it is done."""
        self._segments, self._sessions = {}, {}

    def _layers(self, head: str) -> str:
        """The graph of a head's own layers; "" where it has none."""
        return self._manifest.heads[head].layers if head else ""

    def _all(self, head: str, final: bool) -> bool:
        """Whether all rows of a segment are read, not only those asked for."""
        return not final or self._layers(head) != ""

    def _answer(
        self,
        members: Sequence[tuple[str, PackedBatch]],
        layers: str,
        final: bool,
        hidden: FloatArray,
        answers: list[FloatArray],
    ) -> FloatArray:
        """Add what heads that share their own layers, or have none, say to the first of the rows
        in `hidden`; return the other rows.
        """
        asked = PackedBatch.joined([part for _, part in members])
        count = int(asked.lengths.sum()) if layers or not final else len(asked.positions)
        rows, rest = hidden[:count], hidden[count:]
        if layers:
            rows = self._session(layers).run({"states": rows, **layout(asked)})
        elif not final:
            rows = rows[layout(asked)["rows"]]
        for head, part in members:
            mine, rows = rows[: len(part.positions)], rows[len(part.positions) :]
            file = self._manifest.heads[head].file if head else ""
            answers.append(self._session(file).run({"hidden": mine}) if file else mine)
        return rest

    def _session(self, file: str) -> Session:
        with self._lock:
            if file not in self._sessions:
                self._sessions[file] = Session(
                    self._manifest.path / file, self._threads, self._pack
                )
            return self._sessions[file]
