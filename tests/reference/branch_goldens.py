"""Heads with layers of their own for a tiny checkpoint, and what PyTorch answers for them.

    python tests/reference/branch_goldens.py

Writes tests/build/branches: heads.json, heads.safetensors, goldens.npz. Shared layers and copies of
them are transformers' own; weights of the copies are drawn with a fixed seed, rounded to FP16 as
trained heads are saved; everything is computed in float64, each text alone.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import BertForMaskedLM

TESTS = Path(__file__).parents[1]
SOURCE = TESTS / "golden" / "checkpoints" / "bert-masked-lm"
OUT = TESTS / "build" / "branches"
HEADS: dict[str, dict[str, Any]] = {
    "tags": {"kind": "token-classification", "labels": ["O", "B-X", "I-X"], "branch": 1},
    "topic": {"kind": "sequence-classification", "labels": ["a", "b"], "branch": 2},
    "vector": {"kind": "embedding", "labels": [], "branch": 1},
    "correct": {"kind": "correction", "labels": [], "branch": 1},
    "detect": {"kind": "detection", "labels": ["wrong"], "branch": 1, "layers_of": "correct"},
    "words": {"kind": "masked-lm", "labels": [], "branch": 1},
}
LAYERS = {"tags": 1, "topic": 1, "vector": 0, "correct": 2}  # own layers, by owner
WIDTH = 8
LENGTHS = (3, 9, 21)


def drawn(module: nn.Module) -> nn.Module:
    """The module with random weights that FP16 holds exactly."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            shift = 1.0 if "LayerNorm.weight" in name else 0.0
            values = shift + 0.2 * torch.randn(parameter.shape, dtype=torch.float64)
            parameter.copy_(values.half().double())
    return module


def drawn_bias(words: int) -> Tensor:
    """One number a word, which FP16 holds exactly."""
    return (0.2 * torch.randn(words, dtype=torch.float64)).half().double()


def applied(layer: nn.Module, hidden: Tensor) -> Tensor:
    found = layer(hidden)
    return found[0] if isinstance(found, tuple) else found


def main() -> None:
    torch.manual_seed(0)
    model = BertForMaskedLM.from_pretrained(SOURCE, attn_implementation="eager").double().eval()
    config, shared = model.config, model.bert.encoder.layer
    hidden, words = config.hidden_size, config.vocab_size
    own = {
        name: nn.ModuleList(drawn(copy.deepcopy(shared[0])) for _ in range(count))
        for name, count in LAYERS.items()
    }
    parts: dict[str, nn.Module] = {
        "tags.classifier": nn.Linear(hidden, 3),
        "topic.pooler": nn.Linear(hidden, hidden),
        "topic.classifier": nn.Linear(hidden, 2),
        "vector.dense": nn.Linear(hidden, WIDTH),
        "correct.transform.dense": nn.Linear(hidden, hidden),
        "correct.transform.LayerNorm": nn.LayerNorm(hidden, eps=config.layer_norm_eps),
        "detect.classifier": nn.Linear(hidden, 1),
    }
    parts = {name: drawn(part.double()) for name, part in parts.items()}
    bias = {"correct": drawn_bias(words)}
    # After all others, whose weights stay as they were drawn before there was such a head.
    own["words"] = nn.ModuleList([drawn(copy.deepcopy(shared[0]))])
    parts["words.transform.dense"] = drawn(nn.Linear(hidden, hidden).double())
    norm = nn.LayerNorm(hidden, eps=config.layer_norm_eps)
    parts["words.transform.LayerNorm"] = drawn(norm.double())
    bias["words"] = drawn_bias(words)
    table = model.bert.embeddings.word_embeddings.weight

    def read(name: str, rows: Tensor) -> Tensor:
        if name in bias:
            x = nn.functional.gelu(parts[f"{name}.transform.dense"](rows))
            return parts[f"{name}.transform.LayerNorm"](x) @ table.T + bias[name]
        if name == "topic":
            rows = torch.tanh(parts["topic.pooler"](rows))
        return parts["vector.dense" if name == "vector" else f"{name}.classifier"](rows)

    found: dict[str, np.ndarray[Any, Any]] = {}
    with torch.no_grad():
        for length in LENGTHS:
            ids = torch.randint(6, words, (1, length))
            found[f"{length}.input_ids"] = ids[0].numpy()
            states = [model.bert.embeddings(ids)]
            for layer in shared:
                states.append(applied(layer, states[-1]))
            for name, head in HEADS.items():
                rows = states[head["branch"]]
                for layer in own[head.get("layers_of", name)]:
                    rows = applied(layer, rows)
                found[f"{length}.{name}"] = read(name, rows)[0].numpy().astype(np.float32)
    tensors = {f"heads.{name}.bias": value for name, value in bias.items()}
    for name, part in parts.items():
        tensors |= {f"heads.{name}.{key}": value for key, value in part.state_dict().items()}
    for name, layers in own.items():
        for key, value in layers.state_dict().items():
            tensors[f"heads.{name}.encoder.layer.{key}"] = value
    OUT.mkdir(exist_ok=True)
    save_file(
        {name: value.half().contiguous() for name, value in tensors.items()},
        OUT / "heads.safetensors",
    )
    (OUT / "heads.json").write_text(json.dumps(HEADS, ensure_ascii=False, indent=1) + "\n", "utf-8")
    np.savez_compressed(OUT / "goldens.npz", allow_pickle=False, **found)


if __name__ == "__main__":
    main()
