"""ALBERT (Lan et al. 2019, arXiv:1909.11942): layers that share weights, narrow embeddings."""

from __future__ import annotations

from qingyu.build.families.encoder import Encoder
from qingyu.build.heads import Classifier, MaskedLanguageModel
from qingyu.build.layers import Layers, Layout
from qingyu.build.naming import LayerNames
from qingyu.build.parts import Linear
from qingyu.build.sources.config import Config
from qingyu.build.sources.weights import Weights


class Albert(Encoder):
    MODEL = "albert"
    LAYER = LayerNames(
        "attention.query",
        "attention.key",
        "attention.value",
        "attention.dense",
        "attention.LayerNorm",
        "ffn",
        "ffn_output",
        "full_layer_layer_norm",
    )

    def __init__(self, config: Config, weights: Weights) -> None:
        super().__init__(config, weights)
        self.groups = config.size("num_hidden_groups", 1)
        self.inner = config.size("inner_group_num", 1)
        self.applied = self.layers
        self.layers = self.applied * self.inner

    def layer_stem(self, index: int) -> str:
        step, inner = divmod(index, self.inner)
        group = step * self.groups // self.applied
        return f"{self.prefix}encoder.albert_layer_groups.{group}.albert_layers.{inner}"

    def shared(self, index: int) -> bool:
        return any(self.layer_stem(i) == self.layer_stem(index) for i in range(index))

    def encoder(
        self, layers: Layers, layout: Layout, input_ids: str, token_type_ids: str, positions: str
    ) -> str:
        # One set of weights cannot take in fixed steps of the norms before every layer it is in.
        layers = Layers(layers.graph, layers.precision.calibrated({}))
        return super().encoder(layers, layout, input_ids, token_type_ids, positions)

    def projection(self) -> Linear | None:
        name = f"{self.prefix}encoder.embedding_hidden_mapping_in"
        return self.linear(name, self.hidden, self.embedding)

    def masked_lm(self) -> MaskedLanguageModel | None:
        if "predictions.dense.weight" not in self.weights:
            return None
        return self.vocabulary_head(
            self.linear("predictions.dense", self.embedding),
            self.activation,
            self.norm("predictions.LayerNorm", self.embedding),
            bias="predictions.bias",
            decoder="predictions.decoder.weight",
        )

    def sequence_classifier(self) -> Classifier | None:
        pooler = f"{self.prefix}pooler"
        if "classifier.weight" not in self.weights or f"{pooler}.weight" not in self.weights:
            return None
        classifier = self.linear("classifier", len(self.config.labels()))
        return Classifier(classifier, self.linear(pooler, self.hidden))
