"""ELECTRA (Clark et al. 2020, arXiv:2003.10555): BERT with embeddings of a width of their own.

A generator fills masks. A discriminator's own head, which tells replaced tokens, is left out.
"""

from __future__ import annotations

from qingyu.build.families.encoder import Encoder
from qingyu.build.heads import Classifier, MaskedLanguageModel
from qingyu.build.layers import Layers


class Electra(Encoder):
    MODEL = "electra"

    def widened(self, layers: Layers, x: str) -> str:
        if self.embedding == self.hidden:
            return x
        name = f"{self.prefix}embeddings_project"
        return layers.linear(x, self.linear(name, self.hidden, self.embedding))

    def masked_lm(self) -> MaskedLanguageModel | None:
        if "generator_predictions.dense.weight" not in self.weights:
            return None
        return self.vocabulary_head(
            self.linear("generator_predictions.dense", self.embedding),
            "gelu",
            self.norm("generator_predictions.LayerNorm", self.embedding),
            bias="generator_lm_head.bias",
            decoder="generator_lm_head.weight",
        )

    def sequence_classifier(self) -> Classifier | None:
        return self.dense_classifier("gelu")
