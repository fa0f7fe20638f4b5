"""Tiny random checkpoints of every family, laid out as on the Hub.

Usage: python tests/reference/tiny_checkpoints.py [OUT]      (OUT: tests/golden/checkpoints)

Weights are drawn large, biases and norms away from 0 and 1, so that a wrong graph cannot pass.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tiny_tokenizers as tokenizers
import torch
import transformers
from goldens import GOLDEN
from safetensors import safe_open
from safetensors.torch import save_file

NLI = ["neutral", "entailment", "contradiction"]
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
    `architecture` needs; `scale` multiplies the spread of the matrices.
    """

    model_type: str
    architecture: str
    config: dict[str, Any]
    tokenizer: Callable[[Path], int]
    dtype: torch.dtype = torch.float16
    labels: list[str] | None = None
    saved_as: str | None = None
    scale: float = 1.0
    extra: dict[str, Any] = field(default_factory=dict)


def cased(folder: Path) -> int:
    """Write a WordPiece tokenizer that keeps case."""
    return tokenizers.write_wordpiece(folder, lowercase=False)


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
    "bert-ner": Recipe("bert", "BertForTokenClassification", BERT, cased, labels=ENTITIES),
}


def draw(name: str, model: torch.nn.Module, scale: float) -> None:
    """Fill every parameter from a generator seeded by the names of checkpoint and parameter."""
    norms = {
        f"{path}.weight"
        for path, module in model.named_modules()
        if type(module).__name__.endswith("Norm")
    }
    for path, parameter in model.named_parameters():
        random = np.random.default_rng([zlib.crc32(name.encode()), zlib.crc32(path.encode())])
        values = random.standard_normal(tuple(parameter.shape))
        if path in norms:
            values = 1 + 0.2 * values
        elif parameter.ndim == 1:
            values = 0.2 * values
        elif "embed" in path or path.endswith("shared.weight"):
            values = 0.5 * values
        else:
            values = 0.3 * scale * values
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(values).to(torch.float32))


def tensors_of(model: Any) -> dict[str, torch.Tensor]:
    """Return the tensors under the names transformers stores them by, tied copies left out."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        with safe_open(Path(folder) / "model.safetensors", "pt") as file:
            return {key: file.get_tensor(key) for key in sorted(file.keys())}


def write(name: str, recipe: Recipe, out: Path) -> None:
    """Write one checkpoint folder: tokenizer files, config.json and model.safetensors."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = recipe.tokenizer(folder)
    dtype = str(recipe.dtype).removeprefix("torch.")
    config: dict[str, Any] = {
        "architectures": [recipe.architecture],
        "model_type": recipe.model_type,
        "vocab_size": vocabulary,
        **recipe.config,
        **recipe.extra,
        "torch_dtype": dtype,
    }
    if recipe.labels is not None:
        config["id2label"] = {str(number): label for number, label in enumerate(recipe.labels)}
        config["label2id"] = {label: number for number, label in enumerate(recipe.labels)}
    text = json.dumps(config, ensure_ascii=False, indent=1)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")

    loaded = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, recipe.saved_as or recipe.architecture)(loaded)
    draw(name, model, recipe.scale)
    tensors = {key: tensor.to(recipe.dtype) for key, tensor in tensors_of(model).items()}
    weights = folder / "model.safetensors"
    save_file(tensors, weights, metadata={"format": "pt"})
    weights.chmod(0o644)

    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{name}: vocabulary {vocabulary}, {dtype}, {size:,} bytes")
    assert size <= 300_000, "a checkpoint must stay small"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=GOLDEN / "checkpoints")
    out = parser.parse_args().out
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name, recipe in RECIPES.items():
        write(name, recipe, out)


if __name__ == "__main__":
    main()
