"""OpenVINO: fp32; bf16 by its hint; INT8 weights with activations quantised in groups as it runs;
and INT8 by post-training quantisation. What is not INT8 is left to its own choice of precision
(bf16 where the machine has it), which is its default; `_f32` variants say f32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines.padded import encoder
from engines.top import Candidates, best

PER_TOKEN = 2**32 - 1


def load(made: Path, checkpoint: Path, variant: str, threads: int) -> Any:
    import openvino

    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    if variant.endswith(("fp32", "f32")):
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    if variant.endswith("bf16"):
        settings["INFERENCE_PRECISION_HINT"] = "bf16"
    if variant.startswith("weights"):
        settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = PER_TOKEN
    model = openvino.Core().compile_model(made / "model.xml", "CPU", settings)
    request = model.create_infer_request()
    encode = encoder(checkpoint)

    def fill(texts: list[str]) -> list[Candidates]:
        feeds, masks = encode(texts)
        return best(request.infer(feeds, share_inputs=True, share_outputs=True)[0][masks])

    return fill
