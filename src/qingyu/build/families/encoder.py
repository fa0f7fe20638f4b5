"""What the families share: embeddings summed and normalised, then layers with their norms last.

A family is a subclass that says what its checkpoints call the parts, and writes itself what it
does differently. Post-norm layers: Vaswani et al. 2017 (arXiv:1706.03762).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qingyu.build.body import Body
from qingyu.build.families.task_head import task_head
from qingyu.build.heads import Classifier, Head, MaskedLanguageModel, described_heads
from qingyu.build.layers import ACTIVATIONS
from qingyu.build.naming import BERT, LayerNames, LayerShape, linear, norm, post_norm
from qingyu.build.parts import Linear, Matrix, Norm, PostNorm, Vector
from qingyu.build.sources.config import Config
from qingyu.build.sources.weights import Weights
from qingyu.build.trained_heads import Trunk, trained_head
from qingyu.plan import Function

NEVER = -1e4  # a logit that no word reaches, and that FP16 holds


class Encoder(Body):
    """The encoder of one checkpoint, and its heads."""

    MODEL: ClassVar[str]  # what comes before a dot where the checkpoint holds a head too
    KEYS: ClassVar[Mapping[str, str]] = {}  # settings that config.json calls otherwise than BERT
    STEM: ClassVar[str] = "encoder.layer"  # before the number of a layer
    LAYER: ClassVar[LayerNames] = BERT

    def __init__(self, config: Config, weights: Weights) -> None:
        config = config.by(self.KEYS)
        self.wordless: NDArray[np.int64] = np.zeros(0, np.int64)  # rows of the table without a word
        self.config = config
        self.weights = weights
        self.hidden = config.size("hidden_size")
        self.layers = config.size("num_hidden_layers")
        self.heads_per_layer = config.size("num_attention_heads")
        self.feed_forward = config.size("intermediate_size")
        self.vocabulary = config.size("vocab_size")
        self.embedding = config.size("embedding_size", self.hidden)
        self.types = config.size("type_vocab_size", 2)
        self.activation: Function = ACTIVATIONS[
            config.choice("hidden_act", list(ACTIVATIONS), "gelu")
        ]
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
        return f"{self.prefix}{self.STEM}.{index}"

    def layer_names(self, index: int) -> LayerNames:
        return self.LAYER.below(self.layer_stem(index))

    def shared(self, index: int) -> bool:
        """Whether the layer's weights are those of another layer too."""
        del index
        return False

    def position_table(self, width: int) -> Linear:
        def read() -> Matrix:
            rows = self.weights.get(self.position_name, self.position_rows, width)
            kinds = self.type_table(width)
            rows = rows[self.first_position :]
            return np.asarray(rows + kinds if len(kinds) == 1 else rows)

        name = self.bare(self.position_name.removesuffix(".weight"))
        return Linear(name, self.positions, width, read)

    def segment_table(self, width: int) -> Linear | None:
        kinds = self.type_table(width)
        if len(kinds) == 1:  # the same for every token, whatever segment it is said to be of
            return None
        name = self.bare(self.type_name.removesuffix(".weight"))
        return Linear(name, len(kinds), width, lambda: kinds)

    @property
    def type_name(self) -> str:
        return f"{self.prefix}embeddings.token_type_embeddings.weight"

    def type_table(self, width: int) -> Matrix:
        """Embeddings of segments, [types, width]; one row of zeros where there are none."""
        return self.weights.get(self.type_name, self.types, width)

    def embedding_norm(self) -> Norm:
        return self.norm(f"{self.prefix}embeddings.LayerNorm", self.embedding)

    def projection(self) -> Linear | None:
        return None

    def post_norm(self, index: int) -> PostNorm:
        return post_norm(self.weights, self.layer_names(index), self.shape, self.prefix)

    @property
    def shape(self) -> LayerShape:
        width = self.heads_per_layer * self.head_width
        return LayerShape(self.hidden, width, self.feed_forward, self.epsilon)

    def heads(self) -> Iterator[Head]:
        """Every head the checkpoint has: masked LM, the task head, and those of `heads.json`."""
        masked = self.masked_lm()
        if masked is not None:
            yield Head("fill-mask", "masked-lm", (), masked)
        yield from task_head(self, masked is not None)
        trunk = Trunk(self.layers, self.shape, self.activation, self.table(), self.separate())
        for name, described in described_heads(self.config.path.parent).items():
            yield trained_head(name, described, trunk, self.weights)

    def masked_lm(self) -> MaskedLanguageModel | None:
        """The masked LM head, or None where the checkpoint has none."""
        raise NotImplementedError

    def sequence_classifier(self) -> Classifier | None:
        """The head that reads the first token, or None where the checkpoint has none."""
        raise NotImplementedError

    def vocabulary_head(
        self, transform: Linear, activation: Function, norm: Norm, bias: str, decoder: str
    ) -> MaskedLanguageModel:
        """A masked LM head that scores words by the rows of `decoder`, usually the embeddings."""
        untied = not self.config.flag("tie_word_embeddings", True) and decoder in self.weights
        bias = bias if bias in self.weights else decoder.replace("weight", "bias")
        return MaskedLanguageModel(
            transform=transform,
            activation=activation,
            norm=norm,
            table=self.rows_of(decoder) if untied else self.table(),
            bias_name=bias,
            read_bias=lambda: self._word_bias(bias),
        )

    def _word_bias(self, name: str) -> Vector:
        """The bias of each word, float32 [vocabulary]; rows without a word never win."""
        bias = self.weights.get(name, self.vocabulary)
        if len(self.wordless):
            bias = bias.copy()
            bias[self.wordless] = NEVER
        return bias

    def dense_classifier(self, activation: Function) -> Classifier | None:
        """The form `classifier.dense`, activation, `classifier.out_proj`."""
        if "classifier.out_proj.weight" not in self.weights:
            return None
        out = self.linear("classifier.out_proj", len(self.config.labels()))
        return Classifier(out, self.linear("classifier.dense", self.hidden), activation)

    def table(self) -> Linear:
        return self.rows_of(self.table_name)

    def rows_of(self, name: str) -> Linear:
        """A tensor with a row a word, [vocabulary, embedding]."""
        shape = self.vocabulary, self.embedding
        stem = self.bare(name.removesuffix(".weight"))
        return Linear(stem, *shape, lambda: self.weights.get(name, *shape))

    def linear(self, name: str, outputs: int, inputs: int | None = None) -> Linear:
        return linear(self.weights, name, outputs, inputs or self.hidden, self.prefix)

    def norm(self, name: str, width: int | None = None) -> Norm:
        return norm(self.weights, name, width or self.hidden, self.epsilon, self.prefix)

    def bare(self, name: str) -> str:
        """A tensor's name without that of the model, as bundles have it."""
        return name.removeprefix(self.prefix)


def no_types(width: int) -> Matrix:
    """The segment embeddings of a family that has none."""
    return np.zeros((1, width), np.float32)
