"""One encoder and its heads: queries in, one array a query out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from qingyu.bundle import ENCODER, Manifest
from qingyu.engine.batch import cut, pack
from qingyu.engine.generate import Decoder
from qingyu.engine.session import Session
from qingyu.numbers import FloatArray
from qingyu.query import Generation, Query

MAX_BATCH_TOKENS = 512  # past this, activations outgrow the caches and a token costs more again


class Network:
    """The sessions of a bundle. The encoder runs once a batch, whatever heads are asked."""

    def __init__(self, manifest: Manifest, threads: int | None = None) -> None:
        """Raises BundleError where a graph cannot be read."""
        self._manifest = manifest
        self._threads = threads
        self._encoder = Session(manifest.path / ENCODER, threads)
        self._heads: dict[str, Session] = {}
        self._decoders = {
            name: Decoder(manifest.path, head, threads)
            for name, head in manifest.heads.items()
            if head.kind == "text2text"
        }
        self._lock = threading.Lock()

    def run(
        self, queries: Sequence[Query], max_batch_tokens: int = MAX_BATCH_TOKENS
    ) -> list[FloatArray]:
        """Answers in the order of `queries`: [n positions, outputs of the query's head].

        An answer depends on its query alone, not on what it was batched with.
        """
        answers: list[FloatArray] = [np.empty((0, 0), np.float32)] * len(queries)
        for indices in cut(queries, max_batch_tokens):
            # Queries of one head side by side, so that a head reads one slice.
            indices.sort(key=lambda index: queries[index].head)
            hidden = self._encoder.run(pack([queries[index] for index in indices]))
            first = 0
            for head, group in groupby(indices, key=lambda index: queries[index].head):
                members = list(group)
                ends = first + np.cumsum([len(queries[index].positions) for index in members])
                states = hidden[first : ends[-1]]
                if head in self._decoders:
                    parts = self._written([queries[index] for index in members], states)
                else:
                    outputs = self._head(head).run({"hidden": states}) if head else states
                    parts = np.split(outputs, ends[:-1] - first)
                for index, part in zip(members, parts, strict=True):
                    answers[index] = part
                first = int(ends[-1])
        return answers

    def _written(self, queries: Sequence[Query], states: FloatArray) -> list[FloatArray]:
        """What a decoder writes for each query, whose hidden states lie end to end."""
        ends = np.cumsum([len(query.positions) for query in queries])
        return [
            self._decoders[query.head].generate(part, query.generation or Generation())
            for query, part in zip(queries, np.split(states, ends[:-1]), strict=True)
        ]

    def _head(self, name: str) -> Session:
        """The head's session, made when it is first wanted."""
        with self._lock:
            if name not in self._heads:
                path = self._manifest.path / self._manifest.heads[name].file
                self._heads[name] = Session(path, self._threads)
            return self._heads[name]
