"""ONNX Runtime on the graph that PyTorch exports: fp32, the stock dynamic INT8 that optimum
applies, and both after the optimiser that ONNX Runtime has for transformers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines.padded import encoder
from engines.top import Candidates, best


def load(made: Path, checkpoint: Path, _variant: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        made / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    wanted = {one.name for one in session.get_inputs()}
    encode = encoder(checkpoint)

    def fill(texts: list[str]) -> list[Candidates]:
        feeds, masks = encode(texts)
        feeds = {name: array for name, array in feeds.items() if name in wanted}
        return best(session.run(None, feeds)[0][masks])

    return fill
