"""The usual service: Flask in front of transformers on PyTorch, FP32, a text at a time.

CHECKPOINT=... THREADS=1 gunicorn -w 2 flask_transformers:app
"""

from __future__ import annotations

import os
from typing import Any

import torch
from flask import Flask, jsonify, request
from transformers import AutoModelForMaskedLM, AutoTokenizer

torch.set_num_threads(int(os.environ["THREADS"]))
checkpoint = os.environ["CHECKPOINT"]
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
model = AutoModelForMaskedLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
app = Flask(__name__)


@app.post("/predict")
def predict() -> Any:
    inputs = tokenizer(request.get_json()["text"], return_tensors="pt")
    with torch.inference_mode():
        logits = model(**inputs).logits
    (row,) = logits[inputs["input_ids"] == tokenizer.mask_token_id]
    top = row.softmax(-1).topk(5)
    words = tokenizer.convert_ids_to_tokens(top.indices.tolist())
    found = zip(words, top.values.tolist(), strict=True)
    return jsonify(results=[{"token": token, "score": score} for token, score in found])
