"""ONNX Runtime on the graph that PyTorch exports: fp32, and the stock dynamic INT8 that optimum
applies (`quantize_dynamic`, weights S8 per channel).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engines.padded import encoder


def load(checkpoint: Path, variant: str, threads: int) -> Callable[[list[str]], list[int]]:
    import onnxruntime

    path = checkpoint.parent / f"{checkpoint.name}.export-{variant}.onnx"
    if not path.exists():
        export(checkpoint, variant, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    encode = encoder(checkpoint)

    def fill(texts: list[str]) -> list[int]:
        feeds, masks = encode(texts)
        logits = session.run(None, feeds)[0][masks]
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
