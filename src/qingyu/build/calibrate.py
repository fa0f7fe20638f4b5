"""How large the channels of each norm become, seen on sample texts through the FP32 graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from qingyu.build.graph import Graph
from qingyu.build.precision import OTHER, Float32, Operand, Origin, Vector
from qingyu.bundle import TOKENIZER, Manifest
from qingyu.engine.batch import cut, pack
from qingyu.engine.network import MAX_BATCH_TOKENS
from qingyu.engine.session import Session
from qingyu.text.tokenizer import Tokenizer
from qingyu.types import Query

PREFIX = "largest "
MASK_EVERY = 8


class Calibrating(Float32):
    """FP32 that also gives out, for every norm, the largest magnitude of each channel."""

    def operand(self, graph: Graph, x: str, origin: Origin = OTHER) -> Operand:
        if origin.kind == "norm":
            axes = graph.constant([0], np.int64)
            largest = graph.node("ReduceMax", graph.node("Abs", x), axes, keepdims=0)
            # Numbered, for a layer that is applied several times shares its norm.
            graph.output(largest, f"{PREFIX}{x} {origin.name}", ["channels"])
        return super().operand(graph, x, origin)


def channel_ranges(manifest: Manifest, graph: str, texts: Sequence[str]) -> dict[str, Vector]:
    """Largest magnitudes, float32 [channels], by the names of norms; "hidden" for what heads read.

    `graph` is the file of an encoder written by `Calibrating`.
    """
    tokenizer = Tokenizer(manifest.path / TOKENIZER)
    queries = list(_queries(tokenizer, manifest.sizes.max_positions, texts))
    session = Session(manifest.path / graph)
    ranges: dict[str, Vector] = {}
    for indices in cut(queries, MAX_BATCH_TOKENS):
        outputs = session.run_all(pack([queries[index] for index in indices]))
        for name, values in outputs.items():
            key = name.removeprefix(PREFIX).split(" ")[-1]
            largest = np.abs(np.atleast_2d(values)).max(axis=0)
            ranges[key] = np.maximum(ranges.get(key, 0), largest)
    return ranges


def _queries(tokenizer: Tokenizer, max_tokens: int, texts: Sequence[str]) -> Iterator[Query]:
    """Each text, asked at all its positions; some tokens masked where the model knows a mask."""
    room = max_tokens - tokenizer.frame.size
    for text in texts:
        ids = tokenizer.tokens(text).ids[:room]
        if tokenizer.mask_id is not None:
            ids[::MASK_EVERY] = [tokenizer.mask_id] * len(ids[::MASK_EVERY])
        input_ids, token_type_ids = tokenizer.framed(ids)
        yield Query(input_ids, token_type_ids, np.arange(len(input_ids)))
