"""Export a masked LM to ONNX as optimum does: python export.py CHECKPOINT VARIANT OUT."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import AutoModelForMaskedLM


def export(checkpoint: Path, out: Path) -> None:
    model = AutoModelForMaskedLM.from_pretrained(
        checkpoint, attn_implementation="eager", dtype=torch.float32
    ).eval()
    model.config.return_dict = False
    ids = torch.full((2, 16), 5)
    axes = {0: "batch", 1: "length"}
    names = ["input_ids", "attention_mask", "token_type_ids"]
    torch.onnx.export(
        model,
        (ids, torch.ones_like(ids), torch.zeros_like(ids)),
        out,
        input_names=names,
        output_names=["logits"],
        dynamic_axes=dict.fromkeys([*names, "logits"], axes),
        opset_version=18,
        dynamo=False,
    )


def main() -> None:
    checkpoint, variant, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    whole = out.with_name(f"{checkpoint.name}.export-fp32.onnx")
    if not whole.exists():
        export(checkpoint, whole)
    if variant == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(whole, out, per_channel=True, weight_type=QuantType.QInt8)


if __name__ == "__main__":
    main()
