"""CTranslate2: it runs the encoder; the masked-LM head is NumPy, on masked rows only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from engines.top import Candidates, best

HEAD = "cls.predictions"
TABLE = "bert.embeddings.word_embeddings.weight"


def load(made: Path, checkpoint: Path, variant: str, threads: int) -> Any:
    import ctranslate2
    from tokenizers import Tokenizer

    encoder = ctranslate2.Encoder(
        str(made), device="cpu", compute_type=variant, intra_threads=threads
    )
    head = Head(checkpoint)
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    mask_id = tokenizer.token_to_id("[MASK]")

    def fill(texts: list[str]) -> list[Candidates]:
        ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        hidden = np.array(encoder.forward_batch(ids).last_hidden_state)
        rows = hidden[np.arange(len(ids)), [row.index(mask_id) for row in ids]]
        return best(head(rows))

    return fill


class Head:
    """float32 [rows, hidden] -> logits [rows, vocabulary]."""

    def __init__(self, checkpoint: Path) -> None:
        from safetensors import safe_open

        with safe_open(checkpoint / "model.safetensors", "numpy") as file:
            names = [name for name in file.keys() if name.startswith(HEAD)]  # noqa: SIM118
            found = {name: file.get_tensor(name).astype(np.float32) for name in [*names, TABLE]}
        dense, norm = f"{HEAD}.transform.dense", f"{HEAD}.transform.LayerNorm"
        self.dense = found[f"{dense}.weight"].T, found[f"{dense}.bias"]
        self.norm = found[f"{norm}.weight"], found[f"{norm}.bias"]
        self.decoder = found[TABLE].T, found[f"{HEAD}.bias"]
        config = json.loads((checkpoint / "config.json").read_text())
        self.epsilon = config["layer_norm_eps"]

    def __call__(self, x: Any) -> Any:
        x = x @ self.dense[0] + self.dense[1]
        x = 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))
        x = x - x.mean(axis=1, keepdims=True)
        x = x / np.sqrt(x.var(axis=1, keepdims=True) + self.epsilon)
        return (x * self.norm[0] + self.norm[1]) @ self.decoder[0] + self.decoder[1]
