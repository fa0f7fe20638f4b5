"""OpenVINO: fp32; bf16 by its hint; weights: INT8 weights, the rest as it likes best (bf16 where
the machine has it); dynamic: the same weights with activations quantised to INT8 in groups as it
runs, which it does for f32 only; int8: post-training quantisation of both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines.padded import encoder
from engines.top import Candidates, best

GROUP = 128  # numbers that share a scale; 64 to 512 took the same CPU time, 32 a tenth more


def load(made: Path, checkpoint: Path, variant: str, threads: int) -> Any:
    import openvino

    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    if variant in ("fp32", "dynamic"):
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    if variant == "bf16":
        settings["INFERENCE_PRECISION_HINT"] = "bf16"
    if variant == "dynamic":
        settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = GROUP
    model = openvino.Core().compile_model(made / "model.xml", "CPU", settings)
    request = model.create_infer_request()
    encode = encoder(checkpoint)

    def fill(texts: list[str]) -> list[Candidates]:
        feeds, masks = encode(texts)
        return best(request.infer(feeds, share_inputs=True, share_outputs=True)[0][masks])

    return fill
