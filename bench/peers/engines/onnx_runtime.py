"""ONNX Runtime on the graph that PyTorch exports: fp32, and the stock dynamic INT8 that optimum
applies (`quantize_dynamic`, weights S8 per channel).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np


def load(checkpoint: Path, variant: str, threads: int) -> Callable[[list[str]], list[int]]:
    import onnxruntime
    from tokenizers import Tokenizer

    path = checkpoint.parent / f"{checkpoint.name}.export-{variant}.onnx"
    if not path.exists():
        export(checkpoint, variant, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.enable_padding()
    mask_id = tokenizer.token_to_id("[MASK]")

    def fill(texts: list[str]) -> list[int]:
        encodings = tokenizer.encode_batch(texts)
        input_ids = np.array([encoding.ids for encoding in encodings])
        feeds = {
            "input_ids": input_ids,
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
            "token_type_ids": np.array([encoding.type_ids for encoding in encodings]),
        }
        logits = session.run(None, feeds)[0][input_ids == mask_id]
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = exp / exp.sum(axis=1, keepdims=True)
        top = np.argpartition(-scores, 5, axis=1)[:, :5]
        order = np.take_along_axis(scores, top, axis=1).argmax(axis=1)
        return [int(row[place]) for row, place in zip(top, order, strict=True)]

    return fill


def export(checkpoint: Path, variant: str, path: Path) -> None:
    """In a process of its own: exporting needs PyTorch, running does not."""
    import os
    import subprocess
    import sys

    python = os.environ.get("PEERS_EXPORT_PYTHON", sys.executable)
    here = Path(__file__).parent.parent
    subprocess.run([python, here / "export.py", checkpoint, variant, path], check=True)
