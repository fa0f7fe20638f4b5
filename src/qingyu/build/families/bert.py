"""BERT (Devlin et al. 2018, arXiv:1810.04805) and those with its tensor names: RoBERTa-wwm,
MacBERT, StructBERT, TinyBERT, MiniRBT, multilingual BERT.
"""

from __future__ import annotations

from qingyu.build.families.encoder import Encoder
from qingyu.build.heads import Classifier, MaskedLanguageModel


class Bert(Encoder):
    MODEL = "bert"

    def masked_lm(self) -> MaskedLanguageModel | None:
        stem = "cls.predictions"
        if f"{stem}.transform.dense.weight" not in self.weights:
            return None
        return self.vocabulary_head(
            self.linear(f"{stem}.transform.dense", self.embedding),
            self.activation,
            self.norm(f"{stem}.transform.LayerNorm", self.embedding),
            bias=f"{stem}.bias",
            decoder=f"{stem}.decoder.weight",
        )

    def sequence_classifier(self) -> Classifier | None:
        pooler = f"{self.prefix}pooler.dense"
        if "classifier.weight" not in self.weights or f"{pooler}.weight" not in self.weights:
            return None
        classifier = self.linear("classifier", len(self.config.labels()))
        return Classifier(classifier, self.linear(pooler, self.hidden))
