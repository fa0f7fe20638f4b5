"""What each tiny checkpoint is: family, architecture, sizes, tokenizer, labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tiny_tokenizers as tokenizers
import torch

# transformers' zero-shot pipeline takes label 0 for contradiction, or the last one where label 0 is
# entailment; these two orders agree with that, and neither is the usual one.
NLI = ["entailment", "neutral", "contradiction"]
NLI_ROTATED = ["contradiction", "entailment", "neutral"]
SENTIMENT = ["负面", "正面"]
TOPICS = ["体育", "财经", "科技", "健康"]
ENTITIES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]

BERT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
ERNIE = BERT | {
    "hidden_act": "relu",
    "type_vocab_size": 4,
    "task_type_vocab_size": 3,
    "use_task_id": True,
}
ROBERTA = BERT | {
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
DISTILBERT = {
    "dim": 32,
    "n_layers": 2,
    "n_heads": 4,
    "hidden_dim": 64,
    "activation": "gelu",
    "max_position_embeddings": 512,
    "sinusoidal_pos_embds": False,
    "pad_token_id": 0,
}
ALBERT = BERT | {
    "embedding_size": 16,
    "num_hidden_layers": 3,
    "num_hidden_groups": 1,
    "inner_group_num": 1,
    "hidden_act": "gelu_new",
}
ELECTRA = BERT | {"embedding_size": 16}
MOBILEBERT = BERT | {
    "hidden_size": 64,
    "embedding_size": 16,
    "intra_bottleneck_size": 32,
    "use_bottleneck": True,
    "use_bottleneck_attention": False,
    "key_query_shared_bottleneck": True,
    "trigram_input": True,
    "num_feedforward_networks": 3,
    "normalization_type": "no_norm",
    "classifier_activation": False,
    "hidden_act": "relu",
}
T5 = {
    "d_model": 32,
    "d_kv": 12,
    "d_ff": 64,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "layer_norm_epsilon": 1e-6,
    "feed_forward_proj": "relu",
    "is_encoder_decoder": True,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
}
MT5 = T5 | {
    "d_kv": 8,
    "num_heads": 3,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
}


@dataclass(frozen=True)
class Recipe:
    """How one checkpoint is made.

    `saved_as` is the class whose tensors are stored, where the Hub's files hold more than
    `architecture` needs. `spread` gives the standard deviation of the matrices whose name holds a
    key (the first match counts, others take the usual one), and of the norms named in full.
    """

    model_type: str
    architecture: str
    config: dict[str, Any]
    tokenizer: Callable[[Path], int]
    dtype: torch.dtype = torch.float16
    labels: list[str] | None = None
    saved_as: str | None = None
    spread: dict[str, float] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


def cased(folder: Path) -> int:
    """Write a WordPiece tokenizer that keeps case."""
    return tokenizers.write_wordpiece(folder, lowercase=False)


MOBILEBERT_SPREAD = {"embed": 0.5, "": 0.1}  # NoNorm does not shrink anything
# Weak attention leaves tokens of one text different, so that they get different tags.
NER_SPREAD = {"attention": 0.12}
T5_SPREAD = {
    "relative_attention_bias": 1.0,
    ".q.": 0.1,
    "shared": 0.5,
    "decoder.final_layer_norm.weight": 4.0,  # of both signs: a tied head would repeat its input
}
MT5_SPREAD = {"relative_attention_bias": 1.0, ".q.": 0.1, "shared": 2.0}


def distilbert(folder: Path) -> int:
    """Write the WordPiece tokenizer of a DistilBERT, which makes no segment ids."""
    return tokenizers.write_wordpiece(folder, kind="DistilBertTokenizer")


wordpiece = tokenizers.write_wordpiece

RECIPES = {
    "bert-masked-lm": Recipe(
        "bert",
        "BertForMaskedLM",
        BERT,
        wordpiece,
        dtype=torch.float32,
        saved_as="BertForPreTraining",
    ),
    "bert-nli": Recipe("bert", "BertForSequenceClassification", BERT, wordpiece, labels=NLI),
    "bert-sentiment": Recipe(
        "bert",
        "BertForSequenceClassification",
        BERT,
        wordpiece,
        dtype=torch.bfloat16,
        labels=SENTIMENT,
    ),
    "bert-multi-label": Recipe(
        "bert",
        "BertForSequenceClassification",
        BERT,
        wordpiece,
        labels=TOPICS,
        extra={"problem_type": "multi_label_classification"},
    ),
    "bert-regression": Recipe(
        "bert",
        "BertForSequenceClassification",
        BERT,
        wordpiece,
        labels=["LABEL_0"],
        extra={"problem_type": "regression"},
    ),
    "bert-ner": Recipe(
        "bert", "BertForTokenClassification", BERT, cased, labels=ENTITIES, spread=NER_SPREAD
    ),
    "bert-encoder": Recipe("bert", "BertModel", BERT, wordpiece),
    "ernie-masked-lm": Recipe("ernie", "ErnieForMaskedLM", ERNIE, wordpiece),
    "roberta-masked-lm": Recipe(
        "roberta", "RobertaForMaskedLM", ROBERTA, tokenizers.write_byte_bpe
    ),
    "roberta-sentiment": Recipe(
        "roberta",
        "RobertaForSequenceClassification",
        ROBERTA,
        tokenizers.write_byte_bpe,
        labels=SENTIMENT,
    ),
    "xlm-roberta-masked-lm": Recipe(
        "xlm-roberta", "XLMRobertaForMaskedLM", ROBERTA, tokenizers.write_xlm_roberta
    ),
    "xlm-roberta-nli": Recipe(
        "xlm-roberta",
        "XLMRobertaForSequenceClassification",
        ROBERTA,
        tokenizers.write_xlm_roberta,
        labels=NLI_ROTATED,
    ),
    "xlm-roberta-ner": Recipe(
        "xlm-roberta",
        "XLMRobertaForTokenClassification",
        ROBERTA,
        tokenizers.write_xlm_roberta,
        labels=ENTITIES,
        spread=NER_SPREAD,
    ),
    "distilbert-masked-lm": Recipe("distilbert", "DistilBertForMaskedLM", DISTILBERT, distilbert),
    "distilbert-sentiment": Recipe(
        "distilbert",
        "DistilBertForSequenceClassification",
        DISTILBERT,
        distilbert,
        labels=SENTIMENT,
    ),
    "distilbert-ner": Recipe(
        "distilbert",
        "DistilBertForTokenClassification",
        DISTILBERT,
        distilbert,
        labels=ENTITIES,
        spread=NER_SPREAD,
    ),
    "albert-masked-lm": Recipe(
        "albert", "AlbertForMaskedLM", ALBERT, wordpiece, saved_as="AlbertForPreTraining"
    ),
    "albert-sentiment": Recipe(
        "albert", "AlbertForSequenceClassification", ALBERT, wordpiece, labels=SENTIMENT
    ),
    "albert-ner": Recipe(
        "albert", "AlbertForTokenClassification", ALBERT, cased, labels=ENTITIES, spread=NER_SPREAD
    ),
    "electra-masked-lm": Recipe("electra", "ElectraForMaskedLM", ELECTRA, wordpiece),
    "electra-sentiment": Recipe(
        "electra", "ElectraForSequenceClassification", ELECTRA, wordpiece, labels=SENTIMENT
    ),
    "electra-ner": Recipe(
        "electra",
        "ElectraForTokenClassification",
        ELECTRA,
        cased,
        labels=ENTITIES,
        spread=NER_SPREAD,
    ),
    "mobilebert-masked-lm": Recipe(
        "mobilebert",
        "MobileBertForMaskedLM",
        MOBILEBERT,
        wordpiece,
        saved_as="MobileBertForPreTraining",
        spread=MOBILEBERT_SPREAD,
    ),
    "mobilebert-sentiment": Recipe(
        "mobilebert",
        "MobileBertForSequenceClassification",
        MOBILEBERT,
        wordpiece,
        labels=SENTIMENT,
        spread=MOBILEBERT_SPREAD,
    ),
    "mobilebert-ner": Recipe(
        "mobilebert",
        "MobileBertForTokenClassification",
        MOBILEBERT,
        cased,
        spread=MOBILEBERT_SPREAD,
        labels=ENTITIES,
    ),
    "t5-tied": Recipe(
        "t5", "T5ForConditionalGeneration", T5, tokenizers.write_t5, spread=T5_SPREAD
    ),
    "mt5-untied": Recipe(
        "mt5", "MT5ForConditionalGeneration", MT5, tokenizers.write_mt5, spread=MT5_SPREAD
    ),
}
