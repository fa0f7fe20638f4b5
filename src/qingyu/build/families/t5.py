"""T5 (Raffel et al. 2019, arXiv:1910.10683) and mT5 (Xue et al. 2020, arXiv:2010.11934).

An encoder, and a decoder written as one step: the token before and the keys and values of those
before that in, scores of the next token and grown keys and values out. Norms come first and have
no bias (Zhang & Sennrich 2019, arXiv:1910.07467); attention is not scaled, and knows places by a
bias that depends on their distance.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qingyu import bundle
from qingyu.build.graph import Graph, Tensors
from qingyu.build.heads import Head
from qingyu.build.layers import Layers, Layout
from qingyu.build.parts import Linear, Matrix
from qingyu.build.precisions.base import Precision
from qingyu.build.sources.config import Config
from qingyu.build.sources.weights import Weights
from qingyu.plan import Function, Plan, Product, Table

KEYS = {
    "hidden_size": "d_model",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "intermediate_size": "d_ff",
    "layer_norm_eps": "layer_norm_epsilon",
    "max_position_embeddings": "n_positions",
}
GATED: dict[str, Function] = {"gated-gelu": "gelu_tanh"}
POSITIONS = 512  # no table limits them; this is what the models were trained on


class T5:
    """Writes the encoder, the decoder and what joins them, of one checkpoint."""

    def __init__(self, config: Config, weights: Weights) -> None:
        config = config.by(KEYS)
        self.config = config
        self.weights = weights
        self.hidden = config.size("hidden_size")
        self.layers = config.size("num_hidden_layers")
        self.decoder_layers = config.size("num_decoder_layers", self.layers)
        self.heads_per_layer = config.size("num_attention_heads")
        self.feed_forward = config.size("intermediate_size")
        self.vocabulary = config.size("vocab_size")
        self.positions = config.size("max_position_embeddings", POSITIONS)
        self.head_width = config.size("d_kv", 64)
        self.width = self.heads_per_layer * self.head_width
        self.buckets = config.size("relative_attention_num_buckets", 32)
        self.farthest = config.size("relative_attention_max_distance", 128)
        self.epsilon = config.number("layer_norm_eps", 1e-6)
        self.projection = config.choice("feed_forward_proj", ["relu", *GATED], "relu")
        self.start = config.whole("decoder_start_token_id", 0, self.vocabulary - 1)
        self.end = config.whole("eos_token_id", 1, self.vocabulary - 1)
        self.tied = config.flag("tie_word_embeddings", True)

    def encoder(
        self, layers: Layers, layout: Layout, input_ids: str, token_type_ids: str, positions: str
    ) -> str:
        """Hidden states of the requested rows, [rows, hidden]."""
        del token_type_ids, positions
        graph = layers.graph
        x = layers.precision.tied_lookup(graph, input_ids, self._table())
        bias = self._encoder_bias(graph, layout)
        for index in range(self.layers):
            stem = f"encoder.block.{index}.layer"
            qkv = self._qkv(f"{stem}.0.SelfAttention")
            product = layers.linear(self._norm(layers, x, f"{stem}.0.layer_norm"), qkv)
            q, k, v = layers.parted(product, self.width, 3, layout)
            rows = layers.attended((q, k, v), self.heads_per_layer, layout, bias=bias, scale=1.0)
            x = self._added(layers, x, rows, f"{stem}.0.SelfAttention.o", self.width)
            x = self._feed_forward(layers, x, f"{stem}.1")
        x = self._norm(layers, x, "encoder.final_layer_norm")
        return graph.node("Gather", x, layout.rows, axis=0)

    def heads(self) -> Iterator[Head]:
        """None that reads single rows: the decoder reads them all (`decoder`)."""
        yield from ()

    def plan(self, products: dict[str, Product], tables: dict[str, Table]) -> Plan:
        """None but its name: only the graphs know it."""
        del products, tables
        return Plan("t5")

    def decoder(self, own: Tensors, shared: Tensors, precision: Precision) -> dict[str, Graph]:
        """Graphs of what generates text, by file; new weights go to `own`."""
        cross = Graph("cross", own, [shared])
        states = cross.input("hidden", np.float32, ["tokens", self.hidden])
        cross.output(
            self._cross(Layers(cross, precision), states), "cross", ["parts", "h", "t", "w"]
        )
        step = Graph("decoder", own, [shared])
        self._step(Layers(step, precision))
        return {bundle.CROSS: cross, bundle.DECODER: step}

    def decoder_head(self, weights: str) -> bundle.HeadInfo:
        """The head that generates text, its weights in the file of this name."""
        return bundle.HeadInfo(
            bundle.DECODER, "text2text", start_id=self.start, end_id=self.end, weights=weights
        )

    def _cross(self, layers: Layers, states: str) -> str:
        """Keys and values of all layers, [2 * layers, heads, tokens, head width]."""
        graph = layers.graph
        stems = [
            f"decoder.block.{index}.layer.1.EncDecAttention" for index in range(self.decoder_layers)
        ]
        linears = [
            self._linear(f"{stem}.{part}", self.width, self.hidden)
            for stem in stems
            for part in ("k", "v")
        ]
        product = layers.linear(states, Linear.stacked("decoder.cross", linears))
        shape = [-1, 2 * self.decoder_layers, self.heads_per_layer, self.head_width]
        parts = graph.node("Reshape", product, graph.constant(shape, np.int64))
        return graph.node("Transpose", parts, perm=[1, 2, 0, 3])

    def _step(self, layers: Layers) -> None:
        """One more token for each of B texts that share an encoded source of S tokens.

        input_ids int64 [B]; past float32 [2 * layers, B, heads, P, head width]; cross as `_cross`
        gives it. logits [B, vocabulary]; present as past, with P + 1.
        """
        graph, parts = layers.graph, 2 * self.decoder_layers
        cache: list[str | int] = [parts, "texts", self.heads_per_layer, "past", self.head_width]
        ids = graph.input("input_ids", np.int64, ["texts"])
        past = graph.input("past", np.float32, cache)
        cross = graph.input(
            "cross", np.float32, [parts, self.heads_per_layer, "tokens", self.head_width]
        )
        x = layers.precision.tied_lookup(graph, ids, self._table())
        bias = self._decoder_bias(graph, past)
        present = []
        for index in range(self.decoder_layers):
            stem = f"decoder.block.{index}.layer"
            x, grown = self._attend_self(layers, x, past, bias, stem, index)
            present += grown
            x = self._attend_source(layers, x, cross, stem, index)
            x = self._feed_forward(layers, x, f"{stem}.2")
        x = self._norm(layers, x, "decoder.final_layer_norm")
        stacked = graph.node("Concat", *present, axis=0)
        graph.output(stacked, "present", [*cache[:3], "present", self.head_width])
        graph.output(self._scores(layers, x), "logits", ["texts", self.vocabulary])

    def _attend_self(
        self, layers: Layers, x: str, past: str, bias: str, stem: str, index: int
    ) -> tuple[str, list[str]]:
        graph = layers.graph
        normed = self._norm(layers, x, f"{stem}.0.layer_norm")
        product = layers.linear(normed, self._qkv(f"{stem}.0.SelfAttention"))
        sizes = graph.constant([self.width] * 3, np.int64)
        shape = graph.constant([0, self.heads_per_layer, 1, self.head_width], np.int64)
        q, k, v = (graph.node("Reshape", part, shape) for part in graph.split(product, sizes, 3))
        keys, values = (
            graph.node("Concat", self._part(graph, past, 2 * index + i), new, axis=2)
            for i, new in enumerate((k, v))
        )
        scores = graph.node("MatMul", q, graph.node("Transpose", keys, perm=[0, 1, 3, 2]))
        weights = graph.node("Softmax", graph.node("Add", scores, bias), axis=-1)
        rows = graph.node("Reshape", graph.node("MatMul", weights, values), self._flat(graph))
        first = graph.constant([0], np.int64)
        grown = [graph.node("Unsqueeze", part, first) for part in (keys, values)]
        return self._added(layers, x, rows, f"{stem}.0.SelfAttention.o", self.width), grown

    def _attend_source(self, layers: Layers, x: str, cross: str, stem: str, index: int) -> str:
        graph, name = layers.graph, f"{stem}.1.EncDecAttention"
        normed = self._norm(layers, x, f"{stem}.1.layer_norm")
        product = layers.linear(normed, self._linear(f"{name}.q", self.width, self.hidden))
        shape = graph.constant([0, self.heads_per_layer, self.head_width], np.int64)
        q = graph.node("Reshape", product, shape)
        q = graph.node("Transpose", q, perm=[1, 0, 2])  # [heads, texts, head width]
        keys, values = (self._part(graph, cross, 2 * index + i) for i in range(2))
        scores = graph.node("MatMul", q, graph.node("Transpose", keys, perm=[0, 2, 1]))
        mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), values)
        rows = graph.node("Transpose", mixed, perm=[1, 0, 2])
        rows = graph.node("Reshape", rows, self._flat(graph))
        return self._added(layers, x, rows, f"{name}.o", self.width)

    def _feed_forward(self, layers: Layers, x: str, stem: str) -> str:
        y, name = self._norm(layers, x, f"{stem}.layer_norm"), f"{stem}.DenseReluDense"
        if self.projection in GATED:
            gate = self._linear(f"{name}.wi_0", self.feed_forward, self.hidden)
            gate_rows = layers.activated(y, gate, GATED[self.projection])
            inner = layers.linear(y, self._linear(f"{name}.wi_1", self.feed_forward, self.hidden))
            rows = layers.graph.node("Mul", gate_rows, inner)
        else:
            inner_linear = self._linear(f"{name}.wi", self.feed_forward, self.hidden)
            rows = layers.activated(y, inner_linear, "relu")
        return self._added(layers, x, rows, f"{name}.wo", self.feed_forward)

    def _added(self, layers: Layers, x: str, rows: str, name: str, inputs: int) -> str:
        product = layers.linear(rows, self._linear(name, self.hidden, inputs))
        return layers.graph.node("Add", x, product)

    def _scores(self, layers: Layers, x: str) -> str:
        operand_of = layers.precision.operand
        if not self.tied and "lm_head.weight" in self.weights:
            head = self._linear("lm_head", self.vocabulary, self.hidden)
            return operand_of(layers.graph, x, head.name).tied_product(head)
        if self.tied:
            scale = layers.graph.constant(self.hidden**-0.5, np.float32)
            x = layers.graph.node("Mul", x, scale)
        table = self._table()
        return operand_of(layers.graph, x, table.name).tied_product(table)

    def _encoder_bias(self, graph: Graph, layout: Layout) -> str:
        """[1, heads, longest, longest]: what each distance adds to a score."""
        reach = self.farthest
        table = self._distance_table("encoder", np.arange(-reach, reach + 1), two_sided=True)
        longest = graph.node("Gather", graph.node("Shape", layout.grid), self._one(graph, 1))
        zero, one = self._one(graph, 0), self._one(graph, 1)
        places = graph.node("Range", zero, longest, one)
        keys = graph.node("Unsqueeze", places, graph.constant([0], np.int64))
        queries = graph.node("Unsqueeze", places, graph.constant([1], np.int64))
        far = graph.constant(reach, np.int64)
        distance = graph.node("Sub", keys, queries)
        distance = graph.node("Clip", distance, graph.constant(-reach, np.int64), far)
        rows = graph.node("Add", distance, far)
        bias = graph.node("Gather", graph.weight("encoder.distances", lambda: table), rows, axis=0)
        bias = graph.node("Transpose", bias, perm=[2, 0, 1])
        return graph.node("Unsqueeze", bias, graph.constant([0], np.int64))

    def _decoder_bias(self, graph: Graph, past: str) -> str:
        """[1, heads, 1, past + 1]: what the distance to each token so far adds to its score."""
        table = self._distance_table("decoder", -np.arange(self.farthest + 1), two_sided=False)
        count = graph.node("Gather", graph.node("Shape", past), self._one(graph, 3))
        end = self._one(graph, -1)
        behind = graph.node("Range", count, end, end)  # past, past - 1, ..., 0
        behind = graph.node("Min", behind, graph.constant(self.farthest, np.int64))
        bias = graph.node(
            "Gather", graph.weight("decoder.distances", lambda: table), behind, axis=0
        )
        bias = graph.node("Transpose", bias, perm=[1, 0])
        return graph.node("Unsqueeze", bias, graph.constant([0, 2], np.int64))

    def _distance_table(
        self, side: str, distances: np.ndarray[tuple[int], np.dtype[np.int64]], two_sided: bool
    ) -> Matrix:
        """Biases of the distances key - query, float32 [distances, heads]."""
        name = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        table = self.weights.get(name, self.buckets, self.heads_per_layer)
        return table[buckets(distances, self.buckets, self.farthest, two_sided)]

    def _qkv(self, stem: str) -> Linear:
        parts = [self._linear(f"{stem}.{part}", self.width, self.hidden) for part in "qkv"]
        return Linear.stacked(f"{stem}.qkv", parts)

    def _linear(self, name: str, outputs: int, inputs: int) -> Linear:
        return Linear(
            name, outputs, inputs, lambda: self.weights.get(f"{name}.weight", outputs, inputs)
        )

    def _norm(self, layers: Layers, x: str, name: str) -> str:
        weight = layers.graph.weight(
            f"{name}.weight", lambda: self.weights.get(f"{name}.weight", self.hidden)
        )
        return layers.graph.node(
            "SimplifiedLayerNormalization", x, weight, epsilon=self.epsilon, axis=-1
        )

    def _table(self) -> Linear:
        name = "shared" if "shared.weight" in self.weights else "encoder.embed_tokens"
        return self._linear(name, self.vocabulary, self.hidden)

    def _flat(self, graph: Graph) -> str:
        return graph.constant([-1, self.width], np.int64)

    @staticmethod
    def _part(graph: Graph, stacked: str, index: int) -> str:
        return graph.node("Gather", stacked, graph.constant(index, np.int64), axis=0)

    @staticmethod
    def _one(graph: Graph, value: int) -> str:
        return graph.constant(value, np.int64)


def buckets(
    distances: np.ndarray[tuple[int], np.dtype[np.int64]],
    count: int,
    farthest: int,
    two_sided: bool,
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The bucket of each distance key - query: exact when near, wider by its logarithm when far.

    Two-sided buckets tell before from after; one-sided ones know only what is before.
    """
    start = np.zeros_like(distances)
    if two_sided:
        count //= 2
        start = np.where(distances > 0, count, 0)
        distances = np.abs(distances)
    else:
        distances = np.maximum(-distances, 0)
    exact = count // 2
    share = np.log(np.maximum(distances, 1).astype(np.float32) / np.float32(exact))
    share /= np.float32(np.log(farthest / exact))
    far = exact + (share * (count - exact)).astype(np.int64)
    return start + np.where(distances < exact, distances, np.minimum(far, count - 1))
