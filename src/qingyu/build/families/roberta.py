"""RoBERTa (Liu et al. 2019, arXiv:1907.11692) and XLM-R (Conneau et al. 2019, arXiv:1911.02116)."""

from __future__ import annotations

from qingyu.build.families.encoder import Encoder
from qingyu.build.heads import Classifier, MaskedLanguageModel


class Roberta(Encoder):
    MODEL = "roberta"

    def position_offset(self) -> int:
        """Positions are counted from the one after the padding token's id."""
        padding = self.config.whole(
            "pad_token_id", 1, self.config.size("max_position_embeddings") - 2
        )
        return padding + 1

    def masked_lm(self) -> MaskedLanguageModel | None:
        if "lm_head.dense.weight" not in self.weights:
            return None
        return self.vocabulary_head(
            self.linear("lm_head.dense", self.hidden),
            "gelu",
            self.norm("lm_head.layer_norm"),
            bias="lm_head.bias",
            decoder="lm_head.decoder.weight",
        )

    def sequence_classifier(self) -> Classifier | None:
        return self.dense_classifier("tanh")
