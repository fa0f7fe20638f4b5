"""OpenVINO on the exported graph: fp32, bf16 by its hint, and INT8 weights by NNCF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engines.onnx_runtime import export


def load(checkpoint: Path, variant: str, threads: int) -> Callable[[list[str]], list[int]]:
    import openvino
    from tokenizers import Tokenizer

    path = checkpoint.parent / f"{checkpoint.name}.export-fp32.onnx"
    if not path.exists():
        export(checkpoint, "fp32", path)
    core = openvino.Core()
    model = core.read_model(path)
    if variant == "int8":
        import nncf

        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "bf16" if variant == "bf16" else "f32",
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()
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
        logits = request.infer(feeds, share_inputs=True)[0][input_ids == mask_id]
        return [int(row) for row in logits.argmax(axis=1)]

    return fill
