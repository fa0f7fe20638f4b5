"""BERT (Devlin et al. 2018, arXiv:1810.04805) and those with its tensor names: RoBERTa-wwm,
MacBERT, StructBERT, TinyBERT, MiniRBT, multilingual BERT.
"""

from __future__ import annotations

from collections.abc import Iterator

from qingyu.build.config import Config
from qingyu.build.heads import Classifier, Head, MaskedLanguageModel, described_heads
from qingyu.build.layers import Layers, Layout, Linear, Norm
from qingyu.build.precision import Matrix
from qingyu.build.weights import Weights

TABLE = "embeddings.word"


class Bert:
    """Writes the encoder and names the heads of one BERT checkpoint."""

    def __init__(self, config: Config, weights: Weights) -> None:
        self.weights = weights
        self.hidden = config.size("hidden_size")
        self.layers = config.size("num_hidden_layers")
        self.heads_per_layer = config.size("num_attention_heads")
        self.feed_forward = config.size("intermediate_size")
        self.vocabulary = config.size("vocab_size")
        self.positions = config.size("max_position_embeddings")
        self.types = config.size("type_vocab_size", 2)
        self.activation = config.text("hidden_act", "gelu")
        self.epsilon = config.number("layer_norm_eps", 1e-12)
        self.config = config
        self.prefix = "bert." if "bert.embeddings.word_embeddings.weight" in weights else ""

    def encoder(
        self, layers: Layers, layout: Layout, input_ids: str, token_type_ids: str, positions: str
    ) -> str:
        """Hidden states of the requested rows, [rows, hidden]."""
        x = self._embeddings(layers, input_ids, token_type_ids, positions)
        for index in range(self.layers):
            x = self._layer(layers, layout, x, index, last=index == self.layers - 1)
        return x

    def _embeddings(self, layers: Layers, ids: str, types: str, positions: str) -> str:
        graph, precision, stem = layers.graph, layers.precision, f"{self.prefix}embeddings"
        position_table = self.weights.get(
            f"{stem}.position_embeddings.weight", self.positions, self.hidden
        )
        type_table = self.weights.get(
            f"{stem}.token_type_embeddings.weight", self.types, self.hidden
        )
        x = graph.node(
            "Add",
            precision.lookup(graph, ids, TABLE, self._table()),
            precision.lookup(graph, positions, "embeddings.position", position_table),
        )
        kinds = graph.node("Gather", graph.weight("embeddings.type", type_table), types, axis=0)
        return layers.norm(graph.node("Add", x, kinds), self._norm(f"{stem}.LayerNorm"))

    def _layer(self, layers: Layers, layout: Layout, x: str, index: int, last: bool) -> str:
        stem, wide = f"{self.prefix}encoder.layer.{index}", self.feed_forward
        query, key, value = (
            self._linear(f"{stem}.attention.self.{part}", self.hidden)
            for part in ("query", "key", "value")
        )
        mixed = layers.attention(x, query, key, value, self.heads_per_layer, layout, only_rows=last)
        if last:
            x = layers.graph.node("Gather", x, layout.rows, axis=0)
        x = layers.residual(
            x,
            mixed,
            self._linear(f"{stem}.attention.output.dense", self.hidden),
            self._norm(f"{stem}.attention.output.LayerNorm"),
        )
        inner = layers.activated(
            x, self._linear(f"{stem}.intermediate.dense", wide), self.activation
        )
        return layers.residual(
            x,
            inner,
            self._linear(f"{stem}.output.dense", self.hidden, wide),
            self._norm(f"{stem}.output.LayerNorm"),
        )

    def heads(self) -> Iterator[Head]:
        """Every head the checkpoint has: masked LM, the task head, and those of `heads.json`."""
        if "cls.predictions.transform.dense.weight" in self.weights:
            yield Head("fill-mask", "masked-lm", (), self._masked_lm())
        if "classifier.weight" in self.weights:
            yield self._task_head()
        for name, extra in described_heads(self.config.path.parent).items():
            pooler = None
            if extra.kind == "sequence-classification":
                pooler = self._linear(f"heads.{name}.pooler", self.hidden)
            classifier = self._linear(f"heads.{name}.classifier", len(extra.labels), self.hidden)
            write = Classifier(classifier, pooler)
            yield Head(name, extra.kind, extra.labels, write, unit=extra.unit)

    def _task_head(self) -> Head:
        labels = self.config.labels()
        classifier = self._linear("classifier", len(labels), self.hidden)
        pooler = f"{self.prefix}pooler.dense"
        if self.config.token_level or f"{pooler}.weight" not in self.weights:
            return Head("tags", "token-classification", labels, Classifier(classifier))
        write = Classifier(classifier, self._linear(pooler, self.hidden))
        return Head("classification", "sequence-classification", labels, write, self.config.problem)

    def _masked_lm(self) -> MaskedLanguageModel:
        stem = "cls.predictions"
        bias = f"{stem}.bias" if f"{stem}.bias" in self.weights else f"{stem}.decoder.bias"
        return MaskedLanguageModel(
            transform=self._linear(f"{stem}.transform.dense", self.hidden),
            activation=self.activation,
            norm=self._norm(f"{stem}.transform.LayerNorm"),
            table_name=TABLE,
            table=self._table(),
            bias=self.weights.get(bias, self.vocabulary),
        )

    def _table(self) -> Matrix:
        name = f"{self.prefix}embeddings.word_embeddings.weight"
        return self.weights.get(name, self.vocabulary, self.hidden)

    def _linear(self, name: str, outputs: int, inputs: int | None = None) -> Linear:
        matrix = self.weights.get(f"{name}.weight", outputs, inputs or self.hidden)
        return Linear(name, matrix, self.weights.get(f"{name}.bias", outputs))

    def _norm(self, name: str) -> Norm:
        gain = self.weights.get(f"{name}.weight", self.hidden)
        return Norm(name, gain, self.weights.get(f"{name}.bias", self.hidden), self.epsilon)
