"""BERT with an `nli` head in PyTorch, padded as most programs pad: what savings are measured from.

Run by an interpreter that has torch; see `bench.savings`. FP32, torch's own fused attention.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional

from qingyu.numbers import FloatArray
from qingyu.query import Query


class Bert:
    """[texts, length] token ids to logits [texts, labels] of the first token."""

    def __init__(self, checkpoint: Path) -> None:
        config = json.loads((checkpoint / "config.json").read_text("utf-8"))
        self.layers = int(config["num_hidden_layers"])
        self.heads = int(config["num_attention_heads"])
        self.epsilon = float(config["layer_norm_eps"])
        stored = load_file(checkpoint / "model.safetensors")
        kept = ("bert.", "heads.nli.")
        self.weights = {k: v.float() for k, v in stored.items() if k.startswith(kept)}

    def __call__(self, ids: Any, types: Any, mask: Any) -> Any:
        texts, length = ids.shape
        stem = "bert.embeddings"
        x = self.weights[f"{stem}.word_embeddings.weight"][ids]
        x = x + self.weights[f"{stem}.position_embeddings.weight"][:length]
        x = self.norm(x + self.weights[f"{stem}.token_type_embeddings.weight"][types], stem)
        for index in range(self.layers):
            layer = f"bert.encoder.layer.{index}"
            parts = [
                self.linear(x, f"{layer}.attention.self.{part}")
                .view(texts, length, self.heads, -1)
                .transpose(1, 2)
                for part in ("query", "key", "value")
            ]
            mixed = functional.scaled_dot_product_attention(*parts, attn_mask=mask[:, None, None])
            mixed = mixed.transpose(1, 2).reshape(texts, length, -1)
            stem = f"{layer}.attention.output"
            x = self.norm(x + self.linear(mixed, f"{stem}.dense"), stem)
            inner = functional.gelu(self.linear(x, f"{layer}.intermediate.dense"))
            x = self.norm(x + self.linear(inner, f"{layer}.output.dense"), f"{layer}.output")
        pooled = torch.tanh(self.linear(x[:, 0], "heads.nli.pooler"))
        return self.linear(pooled, "heads.nli.classifier")

    def linear(self, x: Any, name: str) -> Any:
        weights = self.weights
        return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(self, x: Any, name: str) -> Any:
        gain, bias = (self.weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return functional.layer_norm(x, gain.shape, gain, bias, self.epsilon)


def network(
    checkpoint: Path, threads: int, batch: int, by_length: bool
) -> Callable[[Sequence[Query]], list[FloatArray]]:
    """Answers queries of the nli head, `batch` at a time, each padded to the longest of its batch;
    in their order, or sorted `by_length`."""
    torch.set_num_threads(threads)
    bert = Bert(checkpoint)

    @torch.inference_mode()
    def run(queries: Sequence[Query]) -> list[FloatArray]:
        order = list(range(len(queries)))
        if by_length:
            order.sort(key=lambda index: len(queries[index].input_ids))
        answers: list[FloatArray] = [np.empty((0, 0), np.float32)] * len(queries)
        for first in range(0, len(order), batch):
            chosen = order[first : first + batch]
            longest = max(len(queries[index].input_ids) for index in chosen)
            ids, types, mask = (torch.zeros(len(chosen), longest, dtype=torch.long) for _ in "abc")
            for row, index in enumerate(chosen):
                count = len(queries[index].input_ids)
                ids[row, :count] = torch.tensor(queries[index].input_ids)
                types[row, :count] = torch.tensor(queries[index].token_type_ids)
                mask[row, :count] = 1
            logits = bert(ids, types, mask.bool()).numpy()
            for row, index in enumerate(chosen):
                answers[index] = logits[row : row + 1]
        return answers

    return run
