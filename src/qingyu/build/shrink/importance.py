"""First-order importance of attention heads and feed-forward units on sample texts.

What a part gives out, times the derivative of the loss by it, tells to first order how much the
loss would change without the part (Molchanov et al. 2016, arXiv:1611.06440). Summed over the
tokens of a text and taken without its sign it is the importance of heads in Michel et al. 2019
(arXiv:1905.10650), and that of units alike; over texts it is added up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qingyu.build.families.encoder import Encoder
from qingyu.build.graph import Graph
from qingyu.build.heads import Head
from qingyu.build.layers import Layers
from qingyu.build.precisions.fp32 import Float32
from qingyu.build.shrink.gradient import Layer, forward, loss_by_rows
from qingyu.build.sources.checkpoint import Checkpoint
from qingyu.build.sources.tokenizer import write_tokenizer
from qingyu.engine.session import Session
from qingyu.errors import BuildError
from qingyu.numbers import FloatArray, IntArray
from qingyu.tensors import TensorWriter
from qingyu.text.tokenizer import Tokenizer

INPUTS = ("input_ids", "token_type_ids", "position_ids")
MOST_TEXTS = 256  # evenly spaced lines of a longer file
MOST_TOKENS = 128
MASKED = 0.15
SEED = 20


@dataclass(frozen=True)
class Importance:
    """Of one layer: heads float32 [heads], units float32 [feed_forward]."""

    heads: FloatArray
    units: FloatArray


@dataclass(frozen=True)
class Sample:
    """One text: int64 [tokens] ids and types, the rows the head reads, what is true of them."""

    ids: IntArray
    types: IntArray
    rows: IntArray
    truth: IntArray | None


def importances(checkpoint: Checkpoint, model: Encoder, texts: Sequence[str]) -> list[Importance]:
    """The importance of every part of every layer, by the loss of the model's first head.

    A masked language model is asked for words that are masked; a classifier for what it answers
    itself, for the texts have no labels. Raises BuildError where there is no head, or no text.
    """
    head = next(model.heads(), None)
    if head is None:
        raise BuildError(
            "这个检查点没有任务头，无从计算一阶重要性；去掉 --importance 则按大小裁剪。",
            "The checkpoint has no head to take derivatives of; prune it by magnitude, without "
            "--importance.",
        )
    layers = [layer_of(model, index) for index in range(model.layers)]
    per_layer = [
        Importance(np.zeros(layer.heads, np.float32), np.zeros(layer.inner.outputs, np.float32))
        for layer in layers
    ]
    with tempfile.TemporaryDirectory(prefix="qingyu-") as folder:
        tokenizer, embed = _inputs(checkpoint, model, Path(folder))
        samples = list(_samples(tokenizer, model, head, texts))
        for sample in samples:
            positions = np.arange(len(sample.ids))
            x = embed.run(dict(zip(INPUTS, (sample.ids, sample.types, positions), strict=True)))
            _add(per_layer, layers, head, x, sample)
    if not samples:
        raise BuildError(
            "用来计算重要性的文本都是空的。", "The texts to take importance from are all empty."
        )
    return per_layer


def _add(
    found: list[Importance], layers: list[Layer], head: Head, x: FloatArray, sample: Sample
) -> None:
    passed = []
    for layer in layers:
        passed.append(forward(layer, x))
        x = passed[-1].output
    given = np.zeros_like(x)
    _, given[sample.rows] = loss_by_rows(head, x[sample.rows], sample.truth)
    for one, importance in zip(reversed(passed), reversed(found), strict=True):
        given, by_mixed, by_units = one.back(given)
        mixed = (one.mixed * by_mixed).sum(axis=0).reshape(len(importance.heads), -1)
        importance.heads[:] += np.abs(mixed.sum(axis=1))
        importance.units[:] += np.abs((one.units * by_units).sum(axis=0))


def layer_of(model: Encoder, index: int) -> Layer:
    names, width = model.layer_names(index), model.heads_per_layer * model.head_width
    return Layer(
        query=model.linear(names.query, width),
        key=model.linear(names.key, width),
        value=model.linear(names.value, width),
        attended=model.linear(names.attended, model.hidden, width),
        attended_norm=model.norm(names.attended_norm),
        inner=model.linear(names.inner, model.feed_forward),
        outer=model.linear(names.outer, model.hidden, model.feed_forward),
        outer_norm=model.norm(names.outer_norm),
        heads=model.heads_per_layer,
        activation=model.activation,
    )


def _inputs(checkpoint: Checkpoint, model: Encoder, folder: Path) -> tuple[Tokenizer, Session]:
    """The tokenizer, and the embeddings, which families write in ways of their own."""
    path = folder / "tokenizer.json"
    write_tokenizer(checkpoint.folder, path, model.vocabulary, checkpoint.words)
    store = TensorWriter(folder / "embeddings.safetensors")
    graph = Graph("embeddings", store)
    try:
        inputs = [graph.input(name, np.int64, ["tokens"]) for name in INPUTS]
        hidden = model.embeddings(Layers(graph, Float32()), *inputs)
        graph.output(hidden, "hidden", ["tokens", model.hidden])
    finally:
        store.close()
    graph.save(folder / "embeddings.onnx")
    return Tokenizer(path), Session(folder / "embeddings.onnx")


def _samples(
    tokenizer: Tokenizer, model: Encoder, head: Head, texts: Sequence[str]
) -> Iterator[Sample]:
    draw = np.random.default_rng(SEED)
    room = min(MOST_TOKENS, model.positions) - tokenizer.frame.size
    first = len(tokenizer.frame.before[0])
    for index in np.unique(np.linspace(0, len(texts) - 1, MOST_TEXTS).astype(int)):
        ids = tokenizer.tokens(texts[index]).ids[:room]
        if not ids:
            continue
        framed, types = tokenizer.framed(ids)
        if head.kind == "masked-lm" and tokenizer.mask_id is not None:
            count = max(1, round(MASKED * len(ids)))
            rows = first + np.sort(draw.choice(len(ids), count, replace=False))
            truth, framed = framed[rows], framed.copy()
            framed[rows] = tokenizer.mask_id
            yield Sample(framed, types, rows, truth)
        elif head.kind == "token-classification":
            yield Sample(framed, types, first + np.arange(len(ids)), None)
        else:
            yield Sample(framed, types, np.array([0]), None)
