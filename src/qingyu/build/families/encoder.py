"""What the families share: embeddings summed and normalised, then layers with their norms last.

A family is a subclass that says what its checkpoints call the parts, and writes itself what it
does differently. Post-norm layers: Vaswani et al. 2017 (arXiv:1706.03762).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from qingyu.build.families.task_head import task_head
from qingyu.build.graph import WeightFile
from qingyu.build.heads import Classifier, Head, MaskedLanguageModel, described_heads
from qingyu.build.layers import ACTIVATIONS, Layers, Layout, Linear, Norm
from qingyu.build.precisions.base import Matrix, Precision, Vector
from qingyu.build.sources.config import Config
from qingyu.build.sources.weights import Weights
from qingyu.bundle import HeadInfo

TABLE = "embeddings.word"
ACTIVATION_NAMES = {  # other names of ACTIVATIONS
    "gelu_python": "gelu",
    "gelu_fast": "gelu_new",
    "gelu_python_tanh": "gelu_new",
    "gelu_accurate": "gelu_new",
}


@dataclass(frozen=True)
class LayerNames:
    """What a checkpoint calls the parts of one layer."""

    query: str
    key: str
    value: str
    attended: str
    attended_norm: str
    inner: str
    outer: str
    outer_norm: str

    def below(self, stem: str) -> LayerNames:
        """The same parts of the layer whose names begin with `stem`."""
        return LayerNames(**{part: f"{stem}.{name}" for part, name in vars(self).items()})


class Encoder:
    """Writes the encoder and names the heads of one checkpoint."""

    MODEL: ClassVar[str]  # what comes before a dot where the checkpoint holds a head too
    KEYS: ClassVar[Mapping[str, str]] = {}  # settings that config.json calls otherwise than BERT
    LAYER = LayerNames(
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "attention.output.LayerNorm",
        "intermediate.dense",
        "output.dense",
        "output.LayerNorm",
    )

    def __init__(self, config: Config, weights: Weights) -> None:
        config = config.by(self.KEYS)
        self.config = config
        self.weights = weights
        self.hidden = config.size("hidden_size")
        self.layers = config.size("num_hidden_layers")
        self.heads_per_layer = config.size("num_attention_heads")
        self.feed_forward = config.size("intermediate_size")
        self.vocabulary = config.size("vocab_size")
        self.embedding = config.size("embedding_size", self.hidden)
        self.types = config.size("type_vocab_size", 2)
        activation = config.choice("hidden_act", [*ACTIVATIONS, *ACTIVATION_NAMES], "gelu")
        self.activation = ACTIVATION_NAMES.get(activation, activation)
        self.epsilon = config.number("layer_norm_eps", 1e-12)
        config.choice("position_embedding_type", ["absolute"], "absolute")
        self.first_position = self.position_offset()
        self.position_rows = config.size("max_position_embeddings")
        self.positions = self.position_rows - self.first_position
        self.head_width = config.head_width(self.hidden, self.heads_per_layer)
        prefix = f"{self.MODEL}."
        self.prefix = prefix if f"{prefix}embeddings.word_embeddings.weight" in weights else ""

    @property
    def table_name(self) -> str:
        """The tensor with a row a word."""
        return f"{self.prefix}embeddings.word_embeddings.weight"

    @property
    def position_name(self) -> str:
        return f"{self.prefix}embeddings.position_embeddings.weight"

    def position_offset(self) -> int:
        """Rows of the position table before the one of a text's first token."""
        return 0

    def layer_stem(self, index: int) -> str:
        """What the names of all tensors of a layer begin with."""
        return f"{self.prefix}encoder.layer.{index}"

    def layer_names(self, index: int) -> LayerNames:
        return self.LAYER.below(self.layer_stem(index))

    def shared(self, index: int) -> bool:
        """Whether the layer's weights are those of another layer too."""
        del index
        return False

    def prunable(self) -> bool:
        """Whether each layer has heads, units and names of its own, as here."""
        return type(self).layer is Encoder.layer and not any(map(self.shared, range(self.layers)))

    def encoder(
        self, layers: Layers, layout: Layout, input_ids: str, token_type_ids: str, positions: str
    ) -> str:
        """Hidden states of the requested rows, [rows, hidden]."""
        x = self.embeddings(layers, input_ids, token_type_ids, positions)
        for index in range(self.layers):
            last = index == self.layers - 1
            written = layers.closest() if last and not self.shared(index) else layers
            x = self.layer(written, layout, x, index, last)
        return x

    def embeddings(self, layers: Layers, ids: str, types: str, positions: str) -> str:
        """[tokens, hidden], from int64 [tokens] each."""
        words = layers.precision.lookup(layers.graph, ids, TABLE, self.table())
        x = self.placed(layers, words, types, positions, self.embedding)
        return self.widened(layers, layers.norm(x, self.embedding_norm()))

    def placed(self, layers: Layers, words: str, types: str, positions: str, width: int) -> str:
        """`words` with the embeddings of their places and of their segments added."""
        graph = layers.graph
        table = self.weights.get(self.position_name, self.position_rows, width)
        table = table[self.first_position :]
        kinds = self.type_table(width)
        if len(kinds) == 1:  # the same for every token, whatever segment it is said to be of
            table = table + kinds
        place = layers.precision.lookup(graph, positions, "embeddings.position", table)
        x = graph.node("Add", words, place)
        if len(kinds) > 1:
            kind = graph.node("Gather", graph.weight("embeddings.type", kinds), types, axis=0)
            x = graph.node("Add", x, kind)
        return x

    def type_table(self, width: int) -> Matrix:
        """Embeddings of segments, [types, width]; one row of zeros where there are none."""
        name = f"{self.prefix}embeddings.token_type_embeddings.weight"
        return self.weights.get(name, self.types, width)

    def embedding_norm(self) -> Norm:
        return self.norm(f"{self.prefix}embeddings.LayerNorm", self.embedding)

    def widened(self, layers: Layers, x: str) -> str:
        """Embeddings of the encoder's width, where theirs is another."""
        del layers
        return x

    def layer(self, layers: Layers, layout: Layout, x: str, index: int, last: bool) -> str:
        """[tokens, hidden] to the same; the last layer to [rows, hidden]."""
        names = self.layer_names(index)
        width = self.heads_per_layer * self.head_width
        query, key, value = (
            self.linear(name, width) for name in (names.query, names.key, names.value)
        )
        # A shared layer multiplies all tokens even when last, to be stored in one form only.
        only_rows = last and not self.shared(index)
        mixed = layers.attention(x, query, key, value, self.heads_per_layer, layout, only_rows)
        if last:
            x = layers.graph.node("Gather", x, layout.rows, axis=0)
            if not only_rows:
                mixed = layers.graph.node("Gather", mixed, layout.rows, axis=0)
        attended = self.linear(names.attended, self.hidden, width)
        x = layers.residual(x, mixed, attended, self.norm(names.attended_norm))
        inner = layers.activated(x, self.linear(names.inner, self.feed_forward), self.activation)
        outer = self.linear(names.outer, self.hidden, self.feed_forward)
        return layers.residual(x, inner, outer, self.norm(names.outer_norm))

    def heads(self) -> Iterator[Head]:
        """Every head the checkpoint has: masked LM, the task head, and those of `heads.json`."""
        masked = self.masked_lm()
        if masked is not None:
            yield Head("fill-mask", "masked-lm", (), masked)
        yield from task_head(self, masked is not None)
        for name, extra in described_heads(self.config.path.parent).items():
            pooler = None
            if extra.kind == "sequence-classification":
                pooler = self.linear(f"heads.{name}.pooler", self.hidden)
            classifier = self.linear(f"heads.{name}.classifier", len(extra.labels))
            write = Classifier(classifier, pooler)
            yield Head(name, extra.kind, extra.labels, write, unit=extra.unit)

    def decoder(self, store: WeightFile, precision: Precision, folder: Path) -> dict[str, HeadInfo]:
        """Heads of another kind, that write text, and their graphs: an encoder has none."""
        del store, precision, folder
        return {}

    def masked_lm(self) -> MaskedLanguageModel | None:
        """The masked LM head, or None where the checkpoint has none."""
        raise NotImplementedError

    def sequence_classifier(self) -> Classifier | None:
        """The head that reads the first token, or None where the checkpoint has none."""
        raise NotImplementedError

    def vocabulary_head(
        self, transform: Linear, activation: str, norm: Norm, bias: str, decoder: str
    ) -> MaskedLanguageModel:
        """A masked LM head that scores words by the rows of `decoder`, usually the embeddings."""
        untied = not self.config.flag("tie_word_embeddings", True) and decoder in self.weights
        bias = bias if bias in self.weights else decoder.replace("weight", "bias")
        return MaskedLanguageModel(
            transform=transform,
            activation=activation,
            norm=norm,
            table_name="vocabulary.word" if untied else TABLE,
            table=self.weights.get(decoder, self.vocabulary, self.embedding)
            if untied
            else self.table(),
            bias=self.weights.get(bias, self.vocabulary),
        )

    def dense_classifier(self, activation: str) -> Classifier | None:
        """The form `classifier.dense`, activation, `classifier.out_proj`."""
        if "classifier.out_proj.weight" not in self.weights:
            return None
        out = self.linear("classifier.out_proj", len(self.config.labels()))
        return Classifier(out, self.linear("classifier.dense", self.hidden), activation)

    def table(self) -> Matrix:
        return self.weights.get(self.table_name, self.vocabulary, self.embedding)

    def linear(self, name: str, outputs: int, inputs: int | None = None) -> Linear:
        matrix = self.weights.get(f"{name}.weight", outputs, inputs or self.hidden)
        return Linear(name, matrix, self.weights.get(f"{name}.bias", outputs))

    def norm(self, name: str, width: int | None = None) -> Norm:
        width = width or self.hidden
        gain: Vector = self.weights.get(f"{name}.weight", width)
        return Norm(name, gain, self.weights.get(f"{name}.bias", width), self.epsilon)


def no_types(width: int) -> Matrix:
    """The segment embeddings of a family that has none."""
    return np.zeros((1, width), np.float32)
