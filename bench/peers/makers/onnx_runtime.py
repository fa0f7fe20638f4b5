"""A checkpoint as an ONNX graph, as optimum exports it: python -m makers.onnx_runtime ...

fp32: what PyTorch exports. int8: stock dynamic quantisation of it, weights S8 per channel. fused
and fused_int8: the same after onnxruntime's own transformer optimiser. embed: the encoder alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

OPSET = 18


def export(checkpoint: Path, out: Path, head: bool = True) -> None:
    """Write the model with or without its masked-LM head; batch and length are free."""
    import torch
    from transformers import AutoModel, AutoModelForMaskedLM

    kind = AutoModelForMaskedLM if head else AutoModel
    model = kind.from_pretrained(checkpoint, attn_implementation="eager", dtype=torch.float32)
    model.config.return_dict = False
    ids = torch.full((2, 16), 5)
    axes = {0: "batch", 1: "length"}
    names = ["input_ids", "attention_mask", "token_type_ids"]
    output = "logits" if head else "last_hidden_state"
    torch.onnx.export(
        model.eval(),
        (ids, torch.ones_like(ids), torch.zeros_like(ids)),
        out,
        input_names=names,
        output_names=[output],
        dynamic_axes=dict.fromkeys([*names, output], axes),
        opset_version=OPSET,
        dynamo=False,
    )


def quantise(whole: Path, out: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(whole, out, per_channel=True, weight_type=QuantType.QInt8)


def fuse(whole: Path, checkpoint: Path, out: Path) -> None:
    from onnxruntime.transformers.optimizer import optimize_model

    config = json.loads((checkpoint / "config.json").read_text())
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    optimize_model(str(whole), "bert", heads, hidden).save_model_to_file(str(out))


def main() -> None:
    checkpoint, variant, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    out = folder / "model.onnx"
    if variant in ("fp32", "embed"):
        export(checkpoint, out, head=variant == "fp32")
        return
    steps = [folder / "whole.onnx", folder / "fused.onnx"]
    export(checkpoint, steps[0])
    if variant.startswith("fused"):
        fuse(steps[0], checkpoint, steps[1])
    last = steps[variant.startswith("fused")]
    if variant.endswith("int8"):
        quantise(last, out)
    else:
        last.rename(out)
    for step in steps:
        step.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
