"""transformers on PyTorch: fp32, bf16, dynamic INT8 of every Linear, and torch.compile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engines.top import TOP, Candidates

# Lengths and batch sizes that a compiled model sees before it counts as ready: one text alone has
# code of its own, and the rest is shared.
WARM = [(1, 8), (1, 40), (1, 130), (8, 32), (8, 130), (16, 300)]


def load(_made: Path, checkpoint: Path, variant: str, threads: int) -> Any:
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    dtype = torch.bfloat16 if variant.endswith("bf16") else torch.float32
    model = AutoModelForMaskedLM.from_pretrained(checkpoint, dtype=dtype).eval()
    if variant == "int8":
        model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)

    if variant.startswith("compile"):
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        model = torch.compile(model, dynamic=True)

    @torch.inference_mode()
    def fill(texts: list[str]) -> list[Candidates]:
        inputs = tokenizer(texts, padding=True, return_tensors="pt")
        masks = inputs["input_ids"] == tokenizer.mask_token_id
        scores = model(**inputs).logits[masks].float().softmax(-1)
        top = scores.topk(TOP)
        return [
            list(zip(ids, found, strict=True))
            for ids, found in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]

    if variant.startswith("compile"):
        for batch, length in WARM:
            fill(["天" * (length - 3) + "[MASK]"] * batch)
    return fill


def load_embed(_made: Path, checkpoint: Path, variant: str, threads: int) -> Any:
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    dtype = torch.bfloat16 if variant == "bf16" else torch.float32
    model = AutoModel.from_pretrained(checkpoint, dtype=dtype).eval()

    @torch.inference_mode()
    def embed(texts: list[str]) -> Any:
        inputs = tokenizer(texts, padding=True, return_tensors="pt")
        states = model(**inputs).last_hidden_state.float()
        weight = inputs["attention_mask"][:, :, None].float()
        means = (states * weight).sum(1) / weight.sum(1)
        return torch.nn.functional.normalize(means).numpy()

    return embed
