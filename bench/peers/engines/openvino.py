"""OpenVINO on the exported graph: fp32, bf16 by its hint, and INT8 weights by NNCF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engines.onnx_runtime import export
from engines.padded import encoder


def load(checkpoint: Path, variant: str, threads: int) -> Callable[[list[str]], list[int]]:
    import openvino

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
    encode = encoder(checkpoint)

    def fill(texts: list[str]) -> list[int]:
        feeds, masks = encode(texts)
        logits = request.infer(feeds, share_inputs=True)[0][masks]
        return [int(row) for row in logits.argmax(axis=1)]

    return fill
