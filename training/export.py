"""The checkpoint directory, read and written: what every step starts from and ends with, and
`qingyu build` reads.

    python -m training.export --state run.state.pt --out run     # a directory from an unfinished
    run's saved state

config.json, model.safetensors (FP16, transformers' names, tied decoder left out), heads.json,
vocab.txt, tokenizer.json, tokenizer_config.json. `load` also reads what others have: FP32 or .bin
weights, and the BertForSequenceClassification or BertForTokenClassification of a fine-tuned BERT,
whose head becomes `task`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.errors import RecipeError, run
from training.model import Config, HeadSpec, Model

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")
_LEFT_OUT = (
    "bert.embeddings.position_ids",
    "cls.predictions.decoder.",
    "cls.seq_relationship.",
    "bert.pooler.",
)


def _weights(folder: Path) -> dict[str, Tensor]:
    if (folder / "model.safetensors").is_file():
        return load_file(folder / "model.safetensors")
    if (folder / "pytorch_model.bin").is_file():
        return torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    raise RecipeError(f"{folder}: neither model.safetensors nor pytorch_model.bin is there")


def _fine_tuned_head(values: dict[str, object], weights: dict[str, Tensor]) -> dict[str, HeadSpec]:
    """The head of transformers' fine-tuned classes, its tensors renamed in place to ours."""
    if "classifier.weight" not in weights:
        return {}
    level = "seq" if "bert.pooler.dense.weight" in weights else "token"
    if level == "seq":
        for part in ("weight", "bias"):
            weights[f"heads.task.pooler.{part}"] = weights.pop(f"bert.pooler.dense.{part}")
    for part in ("weight", "bias"):
        weights[f"heads.task.classifier.{part}"] = weights.pop(f"classifier.{part}")
    count = len(weights["heads.task.classifier.bias"])
    named = values.get("id2label")
    names = {int(k): str(v) for k, v in named.items()} if isinstance(named, dict) else {}
    return {"task": HeadSpec(tuple(names.get(i, f"LABEL_{i}") for i in range(count)), level)}


def load(folder: str | Path) -> Model:
    """Read a checkpoint directory into a model with FP32 weights on the CPU. Raises RecipeError
    with what is missing.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise RecipeError(f"{folder}: not a checkpoint directory, config.json is missing")
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    try:
        config = Config.read(values)
    except ValueError as error:
        raise RecipeError(f"{folder}/config.json: {error}") from None
    weights = {
        name.replace(".gamma", ".weight").replace(
            ".beta", ".bias"
        ): tensor.float()  # names of the first BERT release
        for name, tensor in _weights(folder).items()
    }
    heads = _fine_tuned_head(values, weights)
    if (folder / "heads.json").is_file():
        described = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        heads |= {
            name: HeadSpec(tuple(spec["labels"]), spec["level"]) for name, spec in described.items()
        }
    model = Model(config, heads)
    known = {name: tensor for name, tensor in weights.items() if not name.startswith(_LEFT_OUT)}
    fill(model, known, folder)
    return model


def fill(model: Model, weights: dict[str, Tensor], folder: Path) -> None:
    """Give a model the weights read from a folder. Raises RecipeError where they do not fit it."""
    outcome = model.load_state_dict(weights, strict=False)
    # A fine-tuned classifier has no masked-language-model head; anything else missing is a fault.
    model.words = not any(name.startswith("cls.") for name in outcome.missing_keys)
    missing = [name for name in outcome.missing_keys if model.words or not name.startswith("cls.")]
    if missing or outcome.unexpected_keys:
        raise RecipeError(
            f"{folder}: weights missing {missing[:3]}, not understood {outcome.unexpected_keys[:3]}"
        )


def save(model: Model, tokenizer_folder: str | Path, out: str | Path) -> None:
    """Write the model as a checkpoint directory, whole or not at all; the tokenizer files are
    copied from a folder.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        weights = {
            name: t.detach().to("cpu", torch.float16).contiguous()
            for name, t in model.state_dict().items()
        }
        if not model.words:
            weights = {name: t for name, t in weights.items() if not name.startswith("cls.")}
        broken = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
        if broken:
            raise RecipeError(f"not written: {broken[0]} holds values that are not finite in FP16")
        save_file(weights, building / "model.safetensors", metadata={"format": "pt"})
        (building / "config.json").write_text(
            json.dumps(model.config.written(), indent=1), encoding="utf-8"
        )
        specs = {
            name: {"labels": list(spec.labels), "level": spec.level}
            for name, spec in model.specs.items()
        }
        (building / "heads.json").write_text(
            json.dumps(specs, ensure_ascii=False), encoding="utf-8"
        )
        for name in TOKENIZER_FILES:
            if (Path(tokenizer_folder) / name).is_file():
                shutil.copyfile(Path(tokenizer_folder) / name, building / name)
        # A temporary folder is its owner's alone, and so is what safetensors writes.
        building.chmod(0o755)
        (building / "model.safetensors").chmod(0o644)
        if out.is_dir():
            shutil.rmtree(out)
        building.replace(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--state", required=True, type=Path, help="the .state.pt of a run")
    parser.add_argument("--out", required=True, type=Path, help="the directory to write")
    args = parser.parse_args(argv)
    state = torch.load(args.state, map_location="cpu", weights_only=True)
    heads = {
        name: HeadSpec(tuple(labels), level) for name, (labels, level) in state["heads"].items()
    }
    model = Model(Config.read(state["config"]), heads)
    model.load_state_dict(state["model"])
    model.words = state["words"]
    save(model, state["tokenizer"], args.out)
    print(f"{args.out}: written from step {state['step']}")


if __name__ == "__main__":
    run(main)
