"""A checkpoint as an ONNX graph, as optimum exports it.

    python -m makers.onnx_runtime CHECKPOINT VARIANT FOLDER [BASE]

fp32: what PyTorch exports. int8: stock dynamic quantisation of it, weights S8 per channel. fused
and fused_int8: the same after onnxruntime's own transformer optimiser. embed: the encoder alone.
BASE is the folder of what a variant is made of.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

OPSET = 18


def export(checkpoint: Path, out: Path, head: bool = True) -> None:
    """Write the model with or without its masked-LM head; batch and length are free."""
    import torch
    from transformers import AutoModel, AutoModelForMaskedLM

    kind = AutoModelForMaskedLM if head else AutoModel
    model = kind.from_pretrained(checkpoint, attn_implementation="eager", dtype=torch.float32)

    class Whole(torch.nn.Module):
        """One tensor in place of transformers' output classes."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, mask: Any, types: Any) -> Any:
            return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types)[0]

    ids = torch.full((2, 16), 5)
    axes = {0: "batch", 1: "length"}
    names = ["input_ids", "attention_mask", "token_type_ids"]
    output = "logits" if head else "last_hidden_state"
    torch.onnx.export(
        Whole().eval(),
        (ids, torch.ones_like(ids), torch.zeros_like(ids)),
        out,
        input_names=names,
        output_names=[output],
        dynamic_axes=dict.fromkeys([*names, output], axes),
        opset_version=OPSET,
        dynamo=False,
    )


def quantise(whole: Path, out: Path) -> None:
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        whole,
        out,
        per_channel=True,
        weight_type=QuantType.QInt8,
        # Shapes cannot be inferred past fused nodes; everything in this graph is float.
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )


def fuse(whole: Path, checkpoint: Path, out: Path) -> None:
    from onnxruntime.transformers.optimizer import optimize_model

    config = json.loads((checkpoint / "config.json").read_text())
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    optimize_model(str(whole), "bert", heads, hidden).save_model_to_file(str(out))


def main() -> None:
    checkpoint, variant, *folders = sys.argv[1:]
    out, *base = (Path(folder) / "model.onnx" for folder in folders)
    if variant in ("fp32", "embed"):
        export(Path(checkpoint), out, head=variant == "fp32")
    elif variant == "fused":
        fuse(base[0], Path(checkpoint), out)
    else:
        quantise(base[0], out)


if __name__ == "__main__":
    main()
