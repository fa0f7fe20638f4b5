"""DistilBERT (Sanh et al. 2019, arXiv:1910.01108): half of BERT's layers, no segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from qingyu.build.families.encoder import Encoder, no_types
from qingyu.build.heads import Classifier, MaskedLanguageModel
from qingyu.build.naming import LayerNames
from qingyu.build.parts import Matrix


class DistilBert(Encoder):
    MODEL = "distilbert"
    KEYS: ClassVar[Mapping[str, str]] = {
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
    }
    STEM = "transformer.layer"
    LAYER = LayerNames(
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        "sa_layer_norm",
        "ffn.lin1",
        "ffn.lin2",
        "output_layer_norm",
    )

    def type_table(self, width: int) -> Matrix:
        return no_types(width)

    def masked_lm(self) -> MaskedLanguageModel | None:
        if "vocab_transform.weight" not in self.weights:
            return None
        return self.vocabulary_head(
            self.linear("vocab_transform", self.hidden),
            self.activation,
            self.norm("vocab_layer_norm"),
            bias="vocab_projector.bias",
            decoder="vocab_projector.weight",
        )

    def sequence_classifier(self) -> Classifier | None:
        if "pre_classifier.weight" not in self.weights:
            return None
        classifier = self.linear("classifier", len(self.config.labels()))
        return Classifier(classifier, self.linear("pre_classifier", self.hidden), "relu")
