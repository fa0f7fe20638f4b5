"""ELECTRA (Clark et al. 2020, arXiv:2003.10555): BERT with embeddings of a width of their own.

A generator fills masks. A discriminator's own head, which tells replaced tokens, is left out.
"""

from __future__ import annotations

from qingyu.build.families.encoder import Encoder
from qingyu.build.heads import Classifier, MaskedLanguageModel
from qingyu.build.parts import Linear


class Electra(Encoder):
    MODEL = "electra"

    def projection(self) -> Linear | None:
        if self.embedding == self.hidden:
            return None
        return self.linear(f"{self.prefix}embeddings_project", self.hidden, self.embedding)

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
