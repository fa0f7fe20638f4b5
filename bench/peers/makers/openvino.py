"""A checkpoint as OpenVINO's own format.

    python -m makers.openvino CHECKPOINT VARIANT FOLDER ONNX_FOLDER

fp32: converted. weights: INT8 weights by NNCF; activations are quantised when it runs. int8: NNCF's
post-training quantisation of weights and activations, calibrated on texts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engines.padded import encoder

TEXTS = Path(__file__).parents[3] / "tests" / "golden" / "sentences.txt"


def main() -> None:
    import nncf
    import openvino

    checkpoint, variant, folder, base = sys.argv[1:]
    model = openvino.convert_model(Path(base) / "model.onnx")
    if variant == "weights":
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
    if variant == "int8":
        encode = encoder(Path(checkpoint))
        texts = [line for line in TEXTS.read_text("utf-8").splitlines() if line.strip()]
        samples = [encode([text[:400]])[0] for text in texts]
        model = nncf.quantize(
            model,
            nncf.Dataset(samples),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=min(300, len(samples)),
        )
    openvino.save_model(model, Path(folder) / "model.xml", compress_to_fp16=False)


if __name__ == "__main__":
    main()
