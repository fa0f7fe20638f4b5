"""The usual quick service: Flask in front of ONNX Runtime, a text at a time.

CHECKPOINT=... GRAPH=model.onnx THREADS=1 gunicorn -w 2 flask_onnx:app
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from flask import Flask, jsonify, request
from tokenizers import Tokenizer

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ["THREADS"])
session = onnxruntime.InferenceSession(
    os.environ["GRAPH"], options, providers=["CPUExecutionProvider"]
)
tokenizer = Tokenizer.from_file(str(Path(os.environ["CHECKPOINT"]) / "tokenizer.json"))
mask_id = tokenizer.token_to_id("[MASK]")
app = Flask(__name__)


@app.post("/predict")
def predict() -> Any:
    encoding = tokenizer.encode(request.get_json()["text"])
    arrays = (encoding.ids, encoding.attention_mask, encoding.type_ids)
    names = ("input_ids", "attention_mask", "token_type_ids")
    feeds = {name: np.array([array], np.int64) for name, array in zip(names, arrays, strict=True)}
    row = session.run(None, feeds)[0][0, encoding.ids.index(mask_id)]
    best = np.argsort(-row)[:5]
    scores = np.exp(row - row.max())
    scores /= scores.sum()
    found = [{"token": tokenizer.id_to_token(i), "score": float(scores[i])} for i in best.tolist()]
    return jsonify(results=found)
