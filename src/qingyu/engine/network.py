"""Queries to a bundle: packed into batches for its engine, and the rows answered split by query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qingyu.bundle import Manifest
from qingyu.engine.batch import PackedBatch, cut
from qingyu.engine.choice import open_engine
from qingyu.engine.device import Device
from qingyu.engine.generate import Decoder
from qingyu.numbers import FloatArray
from qingyu.query import Generation, Query


class Network:
    """A bundle's engine, and the decoder of one that writes text."""

    def __init__(
        self, manifest: Manifest, threads: int | None = None, device: Device | None = None
    ) -> None:
        """Raises BundleError where a file cannot be read or no engine can run it, SettingsError."""
        self._manifest = manifest
        self.engine = open_engine(manifest, threads, device)
        self._decoders = {
            name: Decoder(manifest.path, head, threads)
            for name, head in manifest.heads.items()
            if head.kind == "text2text"
        }

    def run(
        self, queries: Sequence[Query], max_batch_tokens: int | None = None
    ) -> list[FloatArray]:
        """Answers in the order of `queries`: [n positions, outputs of the query's head] each. They
        are cut into batches, of the engine's `batch_tokens` where no other is given; an answer
        depends on its query alone, not on the rest of its batch.
        """
        answers: list[FloatArray] = [np.empty((0, 0), np.float32)] * len(queries)
        for indices in cut(queries, max_batch_tokens or self.engine.batch_tokens):
            batch = self.run_batch([queries[index] for index in indices])
            for index, answer in zip(indices, batch, strict=True):
                answers[index] = answer
        return answers

    def run_batch(self, queries: Sequence[Query]) -> list[FloatArray]:
        """As `run`, but all in one batch, which the caller has cut; at least one query."""
        # Those of one head side by side, and heads in the order of the layers that they read.
        order = sorted(range(len(queries)), key=lambda index: self._turn(queries[index]))
        asked = [queries[index] for index in order]
        batch = PackedBatch.of([self._of_engine(query) for query in asked])
        rows: list[FloatArray] = []
        for group, answer in zip(batch.groups, self.engine.run(batch), strict=True):
            ends = np.cumsum(batch.counts[group.first : group.end])
            rows += np.split(answer, ends[:-1])
        answers: list[FloatArray] = [np.empty((0, 0), np.float32)] * len(queries)
        for index, query, part in zip(order, asked, rows, strict=True):
            decoder = self._decoders.get(query.head)
            wanted = query.generation or Generation()
            answers[index] = part if decoder is None else decoder.generate(part, wanted)
        return answers

    def close(self) -> None:
        """Give the engine's memory back; nothing is run afterwards."""
        self.engine.close()

    def _turn(self, query: Query) -> tuple[int, str, str]:
        layers = self._manifest.heads[query.head].layers if query.head else ""
        return self._manifest.branch(query.head), layers, query.head

    def _of_engine(self, query: Query) -> Query:
        """A decoder reads hidden states, which is all that an engine gives it."""
        return replace(query, head="") if query.head in self._decoders else query
