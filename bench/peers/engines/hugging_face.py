"""transformers on PyTorch: fp32, bf16, dynamic INT8 of every Linear, and torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def load(checkpoint: Path, variant: str, threads: int) -> Callable[[list[str]], list[int]]:
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    dtype = torch.bfloat16 if variant == "bf16" else torch.float32
    model = AutoModelForMaskedLM.from_pretrained(checkpoint, dtype=dtype).eval()
    if variant == "int8":
        model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)
    if variant == "compile":
        model = torch.compile(model, dynamic=True)

    @torch.inference_mode()
    def fill(texts: list[str]) -> list[int]:
        inputs = tokenizer(texts, padding=True, return_tensors="pt")
        masks = inputs["input_ids"] == tokenizer.mask_token_id
        logits = model(**inputs).logits[masks].float()
        top = logits.softmax(-1).topk(5).indices
        return [int(row) for row in top[:, 0]]

    return fill
