"""Tiny random checkpoints of every family, laid out as on the Hub.

Usage: python tests/reference/tiny_checkpoints.py [OUT]      (OUT: tests/golden/checkpoints)

Weights are drawn large, biases and norms away from 0 and 1, so that a wrong graph cannot pass.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from goldens import GOLDEN
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_recipes import RECIPES, Recipe
from tiny_texts import TEXTS

SPREAD = {"embed": 0.5, "classifier.weight": 0.9, "out_proj": 0.9, "": 0.3}
END_GAIN = 2.0
BEGIN = -1.0


def draw(name: str, model: torch.nn.Module, spread: dict[str, float]) -> None:
    """Fill every parameter: norms about 1, biases about 0, matrices by `spread`."""
    spreads = [*spread.items(), *SPREAD.items()]
    norms = {
        f"{path}.weight"
        for path, module in model.named_modules()
        if type(module).__name__.endswith("Norm")
    }
    for path, parameter in model.named_parameters():
        values = normal(name, path, parameter.shape)
        if path in norms and path not in spread:
            values = 1 + 0.2 * values
        elif parameter.ndim == 1 and path not in spread:
            values = 0.2 * values
        else:
            values = next(std for part, std in spreads if part in path) * values
        with torch.no_grad():
            parameter.copy_(values)


def normal(name: str, path: str, shape: torch.Size) -> torch.Tensor:
    """Draw float32 normal values from a generator seeded by checkpoint and parameter name."""
    random = np.random.default_rng([zlib.crc32(name.encode()), zlib.crc32(path.encode())])
    return torch.from_numpy(random.standard_normal(tuple(shape)).astype(np.float32))


@torch.inference_mode()
def centre(model: Any, folder: Path) -> None:
    """Shift a classifier's bias so that every label wins somewhere on the texts; B- tags less."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    token_level = "TokenClassification" in type(model).__name__
    model.double().eval()
    rows = []
    for text in TEXTS:
        logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
        rows.append(logits[1:-1] if token_level else logits[None])
    begins = [label.startswith("B-") for label in model.config.id2label.values()]
    shift = BEGIN * torch.tensor(begins) - torch.cat(rows).mean(0)
    bias = getattr(model.classifier, "out_proj", model.classifier).bias
    bias.copy_(bias + shift)
    model.float()


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
    draw(name, model, recipe.spread)
    if recipe.labels is not None:
        centre(model, folder)
    tensors = tensors_of(model)
    if config.get("tie_word_embeddings") is False:
        # transformers 5 ties every T5 it builds, and unties one whose file holds both matrices.
        shape = tensors["shared.weight"].shape
        tensors["lm_head.weight"] = 0.3 * normal(name, "lm_head.weight", shape)
    if config.get("is_encoder_decoder"):
        # A louder end-of-sequence row, so that some generated sequences end before the limit.
        head = "lm_head.weight" if "lm_head.weight" in tensors else "shared.weight"
        tensors[head][config["eos_token_id"]] *= END_GAIN
    tensors = {key: tensor.to(recipe.dtype) for key, tensor in tensors.items()}
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
