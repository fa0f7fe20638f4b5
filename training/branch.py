"""A head with layers of its own: copies of the encoder's last layers that only it uses.

It reads the rows after shared layer `branch` of the frozen encoder, so training it cannot make
another task worse. It is saved as `heads.safetensors` (FP16) and `heads.json`; tensors are named
`heads.<name>.encoder.layer.<i>.*` (i from 0), `heads.<name>.pooler.*`, `heads.<name>.classifier.*`.

Shapes: B texts, L tokens, H hidden size.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as nnf
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.errors import RecipeError
from training.loop import autocast
from training.model import HeadSpec, Layer, Model, TaskHead

KINDS = {"seq": "sequence-classification", "token": "token-classification"}
EMBEDDING = "embedding"


def answered(layer: Layer, hidden: Tensor, mask: Tensor) -> Tensor:
    """The layer's first row only, [B, 1, H]: what a head that reads [CLS] needs of the last one."""
    attention = layer.attention.self
    parts = (attention.query(hidden[:, :1]), attention.key(hidden), attention.value(hidden))
    q, k, v = (part.unflatten(-1, (attention.heads, -1)).transpose(1, 2) for part in parts)
    mixed = nnf.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    row = layer.attention.output(mixed.transpose(1, 2).flatten(2), hidden[:, :1])
    return layer.output(layer.intermediate(row), row)


class Branch(nn.Module):
    """Own layers and what reads them: classifiers of texts or tokens, or an embedding.

    kind:  "seq", "token" or "embedding"
    heads: names and their labels in order (of an embedding none); all read the same layers, which
           are saved under the first name
    width: of an embedding, its dimensions
    """

    def __init__(
        self, model: Model, kind: str, heads: dict[str, tuple[str, ...]], layers: int, width: int
    ) -> None:
        super().__init__()
        config = model.config
        if not 0 <= layers < config.num_hidden_layers:
            raise RecipeError(
                f"{layers} layers of its own: the encoder has {config.num_hidden_layers}, "
                "and one at least is shared"
            )
        self.kind, self.labels, self.owner = kind, heads, next(iter(heads))
        self.branch = config.num_hidden_layers - layers
        shared = model.bert.encoder.layer
        self.layer = nn.ModuleList(copy.deepcopy(one) for one in shared[self.branch :])
        for layer in self.layer:
            layer.attention.self.dropout = 0.0  # attention keeps all it sees: short runs learn more
        self.heads = nn.ModuleDict()
        for name, labels in heads.items():
            if kind == EMBEDDING:
                self.heads[name] = Projection(config.hidden_size, width)
            elif name in model.heads and model.specs[name].labels == labels:
                self.heads[name] = copy.deepcopy(model.heads[name])  # goes on from what is known
            else:
                self.heads[name] = TaskHead(config, HeadSpec(labels, kind)).apply(model._initialise)

    def forward(self, hidden: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Rows after the shared layers [B, L, H] and a mask [B, L] of real tokens to what each
        head answers: logits [B, labels] or [B, L, labels], or unit vectors [B, width].
        """
        seen = mask.bool()[:, None, None, :]
        with autocast(hidden.device):
            for number, layer in enumerate(self.layer):
                if self.kind == "seq" and number + 1 == len(self.layer):
                    hidden = answered(layer, hidden, seen)
                else:
                    hidden = layer(hidden, seen, None)
        hidden = hidden.float()
        if self.kind == EMBEDDING:
            real = mask[..., None].to(hidden.dtype)
            hidden = (hidden * real).sum(1) / real.sum(1)
        return {name: head(hidden) for name, head in self.heads.items()}

    def tensors(self) -> dict[str, Tensor]:
        """Weights under the names a checkpoint gives them."""
        named = {}
        for name, tensor in self.state_dict().items():
            own = f"heads.{self.owner}.encoder.{name}" if name.startswith("layer.") else name
            named[own] = tensor.detach().to("cpu", torch.float16).contiguous()
        return named

    def described(self) -> dict[str, dict[str, Any]]:
        """The entries of heads.json."""
        entries: dict[str, dict[str, Any]] = {}
        for name, labels in self.labels.items():
            kind = KINDS.get(self.kind, self.kind)
            entries[name] = {"kind": kind, "labels": list(labels), "branch": self.branch}
            if name != self.owner:
                entries[name]["layers_of"] = self.owner
        return entries


class Projection(nn.Module):
    """The mean of a text's rows [B, H] to a unit vector [B, width]."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, width)
        nn.init.orthogonal_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, mean: Tensor) -> Tensor:
        return nnf.normalize(self.dense(mean), dim=-1)


def save(branch: Branch, out: Path, extra: dict[str, dict[str, Any]]) -> None:
    """Write heads.safetensors and heads.json, each whole or not at all; `extra` holds more for the
    entry of a head, such as its temperature.
    """
    entries = {name: one | extra.get(name, {}) for name, one in branch.described().items()}
    write_heads(branch.tensors(), entries, out)


def write_heads(tensors: dict[str, Tensor], entries: dict[str, dict[str, Any]], out: Path) -> None:
    """The files of a folder of heads: FP16 weights under the names of a checkpoint, and what
    heads.json says of them. Raises RecipeError, and writes nothing, where a weight is not finite.
    """
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise RecipeError(f"not written: {broken[0]} holds values that are not finite in FP16")
    out.mkdir(parents=True, exist_ok=True)
    partial = out / "heads.safetensors.part"
    save_file(tensors, partial, metadata={"format": "pt"})
    partial.chmod(0o644)  # what safetensors writes is its owner's alone
    partial.replace(out / "heads.safetensors")
    write_json(out / "heads.json", entries)


def load(branch: Branch, folder: Path) -> None:
    """Give a branch the weights saved in a folder. Raises RecipeError where they do not fit."""
    layers = f"heads.{branch.owner}.encoder."
    weights = load_file(folder / "heads.safetensors")
    state = {name.removeprefix(layers): tensor.float() for name, tensor in weights.items()}
    outcome = branch.load_state_dict(state, strict=False)
    if outcome.missing_keys or outcome.unexpected_keys:
        raise RecipeError(
            f"{folder}: weights missing {outcome.missing_keys[:3]}, "
            f"not understood {outcome.unexpected_keys[:3]}"
        )


def write_json(path: Path, values: object) -> None:
    """A small file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", "utf-8")
    partial.replace(path)
