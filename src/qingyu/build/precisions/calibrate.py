"""Calibration on sample texts with the FP32 graphs: the largest magnitude of each channel of each
norm, and the Gram matrices of each matrix's inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from qingyu.build.graph import Graph
from qingyu.build.parts import Linear, Vector
from qingyu.build.precisions.base import OTHER, Operand, Origin, Span, gather
from qingyu.build.precisions.fp32 import Float32, Floats
from qingyu.build.precisions.int4 import shrinks, span_of
from qingyu.bundle import TOKENIZER, Manifest
from qingyu.engine.backend import CPU_BATCH_TOKENS
from qingyu.engine.batch import cut, pack
from qingyu.engine.session import Session
from qingyu.query import Query
from qingyu.text.tokenizer import Tokenizer

LARGEST, GRAM = "largest ", "gram "
MASK_EVERY = 8
ROUNDS = 4  # times a text is shown, masked elsewhere, where it is to tell how inputs go together


class Calibrating(Float32):
    """FP32 that also gives out, for every norm, the largest magnitude of each channel; and with
    `products`, for every matrix of 4 bits, those of its inputs with each other, in INT4's spans.
    """

    def __init__(self, products: bool = False) -> None:
        self.products = products

    def operand(self, graph: Graph, x: str, reader: str, origin: Origin = OTHER) -> Operand:
        del reader
        if origin.kind == "norm":
            self.tell(graph, x, origin.name)
        return Witnessed(graph, x) if self.products else Floats(graph, x)

    @staticmethod
    def tell(graph: Graph, x: str, norm: str) -> None:
        """Give out, once, the largest magnitude of each channel of `x`, which a norm gives."""
        # Numbered, for a layer that is applied several times shares its norm.
        name = f"{LARGEST}{x} {norm}"
        if graph.gives(name):  # where heads branch off, several layers read the same rows
            return
        axes = graph.constant([0], np.int64)
        largest = graph.node("ReduceMax", graph.node("Abs", x), axes, keepdims=0)
        graph.output(largest, name, ["channels"])


class Witnessed(Floats):
    """An operand that tells, for each product, sum(x_i x_j) over its rows within each span."""

    def take(self, rows: str) -> Operand:
        return Witnessed(self.graph, gather(self.graph, self.values, rows))

    def product(self, linear: Linear, part: Span | None = None) -> str:
        if shrinks(linear) and part is None:
            graph, width = self.graph, linear.inputs
            span = span_of(width)
            fill = graph.constant([0, 0, 0, -width % span], np.int64)
            padded = graph.node("Pad", self.values, fill) if width % span else self.values
            spans = graph.node("Reshape", padded, graph.constant([0, -1, span], np.int64))
            rows = graph.node("Transpose", spans, perm=[1, 0, 2])
            gram = graph.node("MatMul", graph.node("Transpose", rows, perm=[0, 2, 1]), rows)
            graph.output(gram, f"{GRAM}{gram} {linear.name}", ["spans", span, span])
        return super().product(linear, part)


def statistics(
    manifest: Manifest, graph: str, texts: Sequence[str], rounds: int = 1
) -> dict[str, Vector]:
    """What `graph`, the file of an encoder written by `Calibrating`, shows on `texts`, each
    masked in `rounds` ways.

    By the name of a norm, or "hidden" for what heads read: largest magnitudes, float32
    [channels]. By "gram " and the name of a matrix: float32 [spans, span, span].
    """
    tokenizer = Tokenizer(manifest.path / TOKENIZER)
    asked = list(queries(tokenizer, manifest.sizes.max_positions, texts, rounds))
    session = Session(manifest.path / graph, pack=False)
    largest: dict[str, Vector] = {}
    for indices in cut(asked, CPU_BATCH_TOKENS):
        outputs = session.run_all(pack([asked[index] for index in indices]))
        note(largest, outputs)
    return largest


def note(found: dict[str, Vector], outputs: Mapping[str, Vector]) -> None:
    """Add to `found` what the outputs of one batch show."""
    for name, values in outputs.items():
        if name.startswith(GRAM):
            key = GRAM + name.split(" ")[-1]
            found[key] = found.get(key, np.float32(0)) + values
        else:
            key = name.removeprefix(LARGEST).split(" ")[-1]
            largest = np.abs(np.atleast_2d(values)).max(axis=0)
            found[key] = np.maximum(found.get(key, np.float32(0)), largest)


def queries(
    tokenizer: Tokenizer, max_tokens: int, texts: Sequence[str], rounds: int
) -> Iterator[Query]:
    """Each text, asked at all its positions; some tokens masked where the model knows a mask."""
    room = max_tokens - tokenizer.frame.size
    for text in texts:
        ids = tokenizer.tokens(text).ids[:room]
        for first in range(rounds if tokenizer.mask_id is not None else 1):
            masked = list(ids)
            if tokenizer.mask_id is not None:
                masked[first::MASK_EVERY] = [tokenizer.mask_id] * len(ids[first::MASK_EVERY])
            input_ids, token_type_ids = tokenizer.framed(masked)
            yield Query(input_ids, token_type_ids, np.arange(len(input_ids)))
