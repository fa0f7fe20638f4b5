"""MobileBERT (Sun et al. 2020, arXiv:2004.02984): wide between layers, narrow within them.

Its normalisation is usually a gain and a bias alone. Neighbouring words' embeddings are joined
(trigrams); past the ends of a text stand zeros, so that an answer never depends on padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from qingyu.build.families.encoder import Encoder
from qingyu.build.heads import Classifier
from qingyu.build.layers import Layers, Layout
from qingyu.build.parts import Linear, Norm, Vector
from qingyu.build.sources.config import Config
from qingyu.build.sources.weights import Weights
from qingyu.plan import Function, HeadPlan, Product


@dataclass(frozen=True)
class SplitVocabulary:
    """The masked LM head: the first columns score words by the embeddings, the rest by a matrix
    of their own, [hidden - embedding, words].
    """

    transform: Linear
    activation: Function
    norm: Norm
    table: Linear
    rest: Linear
    bias_name: str
    read_bias: Callable[[], Vector]

    def __call__(self, layers: Layers, hidden: str) -> str:
        graph, width, more = layers.graph, self.table.inputs, self.rest.inputs
        x = layers.norm(layers.activated(hidden, self.transform, self.activation), self.norm)
        sizes = graph.constant([width, more], np.int64)
        first, rest = graph.split(x, sizes, 2)
        precision = layers.precision
        scores = precision.operand(graph, first, self.table.name).tied_product(self.table)
        if more:
            scores = graph.node("Add", scores, layers.linear(rest, self.rest))
        return graph.node("Add", scores, graph.weight(self.bias_name, self.read_bias))

    def plan(self, products: Mapping[str, Product]) -> HeadPlan | None:
        """None: only its graph knows it."""
        del products
        return None


class MobileBert(Encoder):
    MODEL = "mobilebert"
    architecture = "mobilebert"

    def __init__(self, config: Config, weights: Weights) -> None:
        super().__init__(config, weights)
        self.bottleneck = config.flag("use_bottleneck", True)
        self.width = config.size("intra_bottleneck_size", 128) if self.bottleneck else self.hidden
        self.head_width = config.head_width(self.width, self.heads_per_layer)
        self.shares_queries = config.flag("key_query_shared_bottleneck", True)
        self.narrow_attention = config.flag("use_bottleneck_attention", False)
        self.networks = config.size("num_feedforward_networks", 4)
        self.trigrams = config.flag("trigram_input", True)
        kind = config.choice("normalization_type", ["no_norm", "layer_norm"], "no_norm")
        self.plain = kind == "no_norm"

    def embeddings(self, layers: Layers, ids: str, types: str, positions: str) -> str:
        graph, stem = layers.graph, f"{self.prefix}embeddings"
        words = layers.precision.tied_lookup(graph, ids, self.table())
        if self.trigrams:
            words = self._neighbours(layers, words, positions)
        if self.trigrams or self.embedding != self.hidden:
            inputs = self.embedding * (3 if self.trigrams else 1)
            transformation = f"{stem}.embedding_transformation"
            words = layers.linear(words, self.linear(transformation, self.hidden, inputs))
        x = self.placed(layers, words, types, positions, self.hidden)
        return self._normed(layers, x, f"{stem}.LayerNorm", self.hidden)

    def _neighbours(self, layers: Layers, words: str, positions: str) -> str:
        """[next, this, previous] embedding of each token, zeros past a text's ends."""
        graph = layers.graph
        zeros = graph.constant(np.zeros((1, self.embedding)), np.float32)
        inside = graph.node("Min", positions, graph.constant(1, np.int64))  # 0 where a text begins
        inside = graph.cast(inside, np.float32)
        one, end = graph.constant([1], np.int64), graph.constant([-1], np.int64)
        start, most = graph.constant([0], np.int64), graph.constant([2**62], np.int64)
        none = graph.constant([0], np.float32)
        follows = graph.node("Concat", graph.node("Slice", inside, one, most), none, axis=0)
        after = graph.node("Concat", graph.node("Slice", words, one, most), zeros, axis=0)
        before = graph.node("Concat", zeros, graph.node("Slice", words, start, end), axis=0)
        after = graph.node("Mul", after, graph.node("Unsqueeze", follows, one))
        before = graph.node("Mul", before, graph.node("Unsqueeze", inside, one))
        return graph.node("Concat", after, words, before, axis=1)

    def layer(self, layers: Layers, layout: Layout, x: str, index: int, last: bool) -> str:
        stem, width = self.layer_stem(index), self.width
        names, graph = self.layer_names(index), layers.graph
        narrow, asked, source = self._narrowed(layers, x, stem)
        inputs = width if self.narrow_attention else self.hidden
        parts = [self.linear(name, width, width) for name in (names.query, names.key)]
        query_key = Linear.stacked(f"{self.bare(stem)}.attention.self.query_key", parts)
        value = self.linear(names.value, width, inputs)
        mixed = layers.mixed(asked, source, query_key, value, self.heads_per_layer, layout)
        if last:
            x, narrow, mixed = (
                graph.node("Gather", rows, layout.rows, axis=0) for rows in (x, narrow, mixed)
            )
        attended = self.linear(names.attended, width, width)
        narrow = self._residual(layers, narrow, mixed, attended, names.attended_norm)
        for network in range(self.networks - 1):
            narrow = self._feed_forward(layers, narrow, f"{stem}.ffn.{network}")
        y = self._feed_forward(layers, narrow, stem)
        if not self.bottleneck:
            return y
        out = f"{stem}.output.bottleneck"
        wide = self.linear(f"{out}.dense", self.hidden, width)
        return self._residual(layers, x, y, wide, f"{out}.LayerNorm")

    def _narrowed(self, layers: Layers, x: str, stem: str) -> tuple[str, str, str]:
        """What the layer adds to, what queries and keys read, and what values read."""
        if not self.bottleneck:
            return x, x, x
        narrow = self._bottleneck(layers, x, f"{stem}.bottleneck.input")
        if self.narrow_attention:
            return narrow, narrow, narrow
        if self.shares_queries:
            return narrow, self._bottleneck(layers, x, f"{stem}.bottleneck.attention"), x
        return narrow, x, x

    def _bottleneck(self, layers: Layers, x: str, stem: str) -> str:
        y = layers.linear(x, self.linear(f"{stem}.dense", self.width))
        return self._normed(layers, y, f"{stem}.LayerNorm", self.width)

    def _feed_forward(self, layers: Layers, x: str, stem: str) -> str:
        inner = self.linear(f"{stem}.intermediate.dense", self.feed_forward, self.width)
        outer = self.linear(f"{stem}.output.dense", self.width, self.feed_forward)
        y = layers.activated(x, inner, self.activation)
        return self._residual(layers, x, y, outer, f"{stem}.output.LayerNorm")

    def _residual(self, layers: Layers, x: str, y: str, linear: Linear, norm: str) -> str:
        z = layers.graph.node("Add", layers.linear(y, linear), x)
        return self._normed(layers, z, norm, linear.outputs)

    def _normed(self, layers: Layers, x: str, name: str, width: int) -> str:
        norm = self.norm(name, width)
        return layers.scaled(x, norm) if self.plain else layers.norm(x, norm)

    def masked_lm(self) -> SplitVocabulary | None:  # type: ignore[override]
        stem = "cls.predictions"
        if f"{stem}.transform.dense.weight" not in self.weights:
            return None
        rest = self.hidden - self.embedding
        return SplitVocabulary(
            transform=self.linear(f"{stem}.transform.dense", self.hidden),
            activation=self.activation,
            norm=self.norm(f"{stem}.transform.LayerNorm"),
            table=self.table(),
            rest=Linear(
                f"{stem}.dense",
                self.vocabulary,
                rest,
                lambda: np.ascontiguousarray(
                    self.weights.get(f"{stem}.dense.weight", rest, self.vocabulary).T
                ),
            ),
            bias_name=f"{stem}.bias",
            read_bias=lambda: self.weights.get(f"{stem}.bias", self.vocabulary),
        )

    def sequence_classifier(self) -> Classifier | None:
        if "classifier.weight" not in self.weights:
            return None
        classifier = self.linear("classifier", len(self.config.labels()))
        if not self.config.flag("classifier_activation", True):
            return Classifier(classifier)
        return Classifier(classifier, self.linear(f"{self.prefix}pooler.dense", self.hidden))
