"""A tiny ONNX file as somebody else might have made it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHECKPOINTS = Path(__file__).parents[1] / "golden" / "checkpoints"
WORDS, WIDTH = 354, 24


def make(
    folder: Path,
    outputs: int = WORDS,
    rank: int = 3,
    change: Callable[[onnx.ModelProto], Any] = lambda model: None,
    name: str = "logits",
) -> Path:
    """A tiny foreign model: each token's row plus the mean of its text's unmasked rows, times a
    matrix; of rank 2, the mean alone. Wrong padding or a wrong mask changes every answer.
    """
    draw = np.random.default_rng(7)
    table = draw.standard_normal((WORDS, WIDTH)).astype(np.float32)
    matrix = draw.standard_normal((WIDTH, outputs)).astype(np.float32)
    folder.mkdir(exist_ok=True)
    for file in ("tokenizer.json", "config.json"):
        (folder / file).write_bytes((CHECKPOINTS / "bert-masked-lm" / file).read_bytes())
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "input_ids"], ["rows"]),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["mask", "last"], ["column"]),
        node("Mul", ["rows", "column"], ["seen"]),
        node("ReduceSum", ["seen", "middle"], ["sum"], keepdims=1),
        node("ReduceSum", ["column", "middle"], ["count"], keepdims=1),
        node("Div", ["sum", "count"], ["mean"]),
        node("Add", ["rows", "mean"], ["mixed"])
        if rank == 3
        else node("Squeeze", ["mean", "middle"], ["mixed"]),
        node("MatMul", ["mixed", "matrix"], [name]),
    ]
    weights = {"table": table, "matrix": matrix, "last": np.array([-1]), "middle": np.array([1])}
    ids = [
        helper.make_tensor_value_info(key, TensorProto.INT64, ["batch", "length"])
        for key in ("input_ids", "attention_mask")
    ]
    shape = ["batch", "length", outputs] if rank == 3 else ["batch", outputs]
    out = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    tensors = [numpy_helper.from_array(array, key) for key, array in weights.items()]
    graph = helper.make_graph(nodes, "foreign", ids, [out], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    change(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "truth.npz").unlink(missing_ok=True)
    return folder
