"""The least work that filling masks takes, counted from a checkpoint's configuration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Work:
    """Multiplications and additions, 2 for each pair, and bytes read if a weight takes one."""

    operations: float
    bytes: float

    def least_seconds(self, peak: float, bandwidth: float) -> float:
        """At `peak` operations and `bandwidth` bytes a second, whichever takes longer."""
        return max(self.operations / peak, self.bytes / bandwidth)


def least(checkpoint: Path, lengths: Sequence[int], head: bool = True) -> Work:
    """Texts of `lengths` tokens, one row of each asked for, as one batch.

    The last layer computes keys and values for every token and the rest for the rows asked;
    attention counts per sequence; every weight is read once, embeddings by token. `head`: whether
    the masked-LM head is in it.
    """
    config = json.loads((checkpoint / "config.json").read_text())
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    layers, narrow = config["num_hidden_layers"], config.get("embedding_size", hidden)
    tokens, rows = sum(lengths), len(lengths)
    each = 4 * hidden * hidden + 2 * hidden * wide
    operations = (layers - 1) * (2 * tokens * each + sum(4 * n * n * hidden for n in lengths))
    operations += 4 * tokens * hidden * hidden + 2 * rows * (each - 2 * hidden * hidden)
    operations += 4 * tokens * hidden
    weights = each * (1 if config["model_type"] == "albert" else layers) + tokens * narrow
    if narrow != hidden:
        operations += 2 * tokens * narrow * hidden
        weights += narrow * hidden
    if head:
        matrices = hidden * narrow + narrow * config["vocab_size"]
        operations += 2 * rows * matrices
        weights += matrices
    return Work(float(operations), float(weights))
