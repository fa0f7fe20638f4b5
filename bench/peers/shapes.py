"""Full-size checkpoints with random weights, in the layout of Hugging Face.

    python -m bench.peers.shapes OUT [NAME ...]

Speed and memory do not depend on what the weights are; agreement between precisions does, and is
measured on trained weights only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SHAPES: dict[str, dict[str, Any]] = {
    "bert-base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
    "minirbt-h256": {"hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 8},
    "tinybert-4l-312": {
        "hidden_size": 312,
        "num_hidden_layers": 4,
        "num_attention_heads": 12,
        "intermediate_size": 1200,
    },
    "albert-tiny": {
        "model_type": "albert",
        "embedding_size": 128,
        "hidden_size": 312,
        "num_hidden_layers": 4,
        "num_attention_heads": 12,
        "intermediate_size": 1248,
    },
}
VOCABULARY = 21_128
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def words() -> list[str]:
    """A vocabulary of bert-base-chinese's size: special tokens, ASCII, then CJK characters."""
    ascii_words = [chr(code) for code in range(33, 127)]
    marks = list("，。、；：？！“”‘’（）《》…—")
    characters = [chr(0x4E00 + i) for i in range(VOCABULARY)]
    return list(dict.fromkeys(SPECIAL + ascii_words + marks + characters))[:VOCABULARY]


Tensors = Iterator[tuple[str, tuple[int, ...]]]


def bert(config: dict[str, Any]) -> Tensors:
    """Names and shapes of BertForMaskedLM."""
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    yield "bert.embeddings.word_embeddings.weight", (config["vocab_size"], hidden)
    yield "bert.embeddings.position_embeddings.weight", (512, hidden)
    yield "bert.embeddings.token_type_embeddings.weight", (2, hidden)
    for stem, out, inner in [
        ("bert.embeddings.LayerNorm", hidden, 0),
        ("cls.predictions.transform.dense", hidden, hidden),
        ("cls.predictions.transform.LayerNorm", hidden, 0),
    ]:
        yield f"{stem}.weight", (out, inner) if inner else (out,)
        yield f"{stem}.bias", (out,)
    yield "cls.predictions.bias", (config["vocab_size"],)
    for layer in range(config["num_hidden_layers"]):
        stem = f"bert.encoder.layer.{layer}"
        for part, out, inner in [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("attention.output.LayerNorm", hidden, 0),
            ("intermediate.dense", wide, hidden),
            ("output.dense", hidden, wide),
            ("output.LayerNorm", hidden, 0),
        ]:
            yield f"{stem}.{part}.weight", (out, inner) if inner else (out,)
            yield f"{stem}.{part}.bias", (out,)


def albert(config: dict[str, Any]) -> Tensors:
    """Names and shapes of AlbertForMaskedLM: one layer's weights serve all."""
    narrow, hidden, wide = (
        config[f"{name}_size"] for name in ("embedding", "hidden", "intermediate")
    )
    layer = "albert.encoder.albert_layer_groups.0.albert_layers.0"
    for stem, out, inner in [
        ("albert.embeddings.LayerNorm", narrow, 0),
        ("albert.encoder.embedding_hidden_mapping_in", hidden, narrow),
        *((f"{layer}.attention.{part}", hidden, hidden) for part in ("query", "key", "value")),
        (f"{layer}.attention.dense", hidden, hidden),
        (f"{layer}.attention.LayerNorm", hidden, 0),
        (f"{layer}.ffn", wide, hidden),
        (f"{layer}.ffn_output", hidden, wide),
        (f"{layer}.full_layer_layer_norm", hidden, 0),
        ("predictions.dense", narrow, hidden),
        ("predictions.LayerNorm", narrow, 0),
    ]:
        yield f"{stem}.weight", (out, inner) if inner else (out,)
        yield f"{stem}.bias", (out,)
    yield "albert.embeddings.word_embeddings.weight", (config["vocab_size"], narrow)
    yield "albert.embeddings.position_embeddings.weight", (512, narrow)
    yield "albert.embeddings.token_type_embeddings.weight", (2, narrow)
    yield "predictions.bias", (config["vocab_size"],)


FAMILIES = {"bert": ("BertForMaskedLM", bert), "albert": ("AlbertForMaskedLM", albert)}


def write(name: str, out: Path) -> None:
    from safetensors.numpy import save_file  # only for who makes them

    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    architecture, tensors = FAMILIES[SHAPES[name].get("model_type", "bert")]
    config = {
        "architectures": [architecture],
        "model_type": "bert",
        "vocab_size": VOCABULARY,
        "hidden_act": "gelu",
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "intermediate_size": 4 * SHAPES[name]["hidden_size"],
        **SHAPES[name],
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    (folder / "vocab.txt").write_text("\n".join(words()) + "\n", "utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    draw = np.random.default_rng(0)
    weights = {}
    for tensor, shape in tensors(config):
        if tensor.lower().endswith("norm.weight"):
            weights[tensor] = np.ones(shape, np.float32)
        else:
            weights[tensor] = (draw.standard_normal(shape) * 0.02).astype(np.float32)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    write_tokenizer(folder)
    (folder / "random").touch()  # so that nobody judges the answers


def write_tokenizer(folder: Path) -> None:
    """`tokenizer.json` beside `vocab.txt`, so that every peer reads the same one."""
    from tokenizers import BertWordPieceTokenizer

    BertWordPieceTokenizer(str(folder / "vocab.txt")).save(str(folder / "tokenizer.json"))


def main() -> None:
    out = Path(sys.argv[1])
    for name in sys.argv[2:] or SHAPES:
        if not (out / name / "random").exists():  # what is written last
            write(name, out)
        print(out / name)


if __name__ == "__main__":
    main()
