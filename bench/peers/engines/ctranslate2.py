"""CTranslate2 INT8: it runs the encoder; the masked-LM head is NumPy, on masked rows only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np


def load(checkpoint: Path, variant: str, threads: int) -> Callable[[list[str]], list[int]]:
    import ctranslate2
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    path = checkpoint.parent / f"{checkpoint.name}.ctranslate2"
    if not path.exists():
        ctranslate2.converters.TransformersConverter(str(checkpoint)).convert(str(path))
    encoder = ctranslate2.Encoder(
        str(path), device="cpu", compute_type=variant, intra_threads=threads
    )
    weights = {
        name: array.astype(np.float32)
        for name, array in load_file(checkpoint / "model.safetensors").items()
        if name.startswith("cls.") or "word_embeddings" in name
    }
    dense, bias = (weights[f"cls.predictions.transform.dense.{k}"] for k in ("weight", "bias"))
    gain, shift = (weights[f"cls.predictions.transform.LayerNorm.{k}"] for k in ("weight", "bias"))
    table = weights["bert.embeddings.word_embeddings.weight"]
    offset = weights["cls.predictions.bias"]
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    mask_id = tokenizer.token_to_id("[MASK]")

    def fill(texts: list[str]) -> list[int]:
        ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        hidden = np.array(encoder.forward_batch(ids).last_hidden_state)
        x = hidden[np.arange(len(ids)), [row.index(mask_id) for row in ids]] @ dense.T + bias
        x = 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-12)
        logits = (x * gain + shift) @ table.T + offset
        return [int(row) for row in logits.argmax(axis=1)]

    return fill
