"""A part of a model as an ONNX graph in memory, of float products alone.

Names and shapes are those of the plan; how sequences are laid out is `engine/batch.py`'s. A part's
inputs and its output are float32, whatever it computes with. Operators are those that ONNX Runtime
has on CUDA for float32, float16 and bfloat16 (its docs/OperatorKernels.md); it fuses an Add and a
LayerNormalization by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.engine.cuda.numbers import ELEMENTS, Kind, Tensors, as_kind
from qingyu.numbers import FloatArray
from qingyu.plan import EmbeddingsPlan, Function, HeadPlan, LayerPlan, Product

OPSET, MICROSOFT_OPSET, IR_VERSION = 24, 1, 10
FLOAT, INT32, INT64 = 1, 6, 7
OUTPUT = "output"
INPUTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "input_ids": (INT64, ("tokens",)),
    "token_type_ids": (INT64, ("tokens",)),
    "position_ids": (INT64, ("tokens",)),
    "lengths": (INT32, ("sequences",)),
    "grid": (INT64, ("sequences", "longest")),
    "cells": (INT64, ("tokens",)),
    "rows": (INT64, ("rows",)),
    "row_grid": (INT64, ("sequences", "most_rows")),
    "row_cells": (INT64, ("rows",)),
    "taken": (INT64, ("taken",)),
}


@dataclass(frozen=True)
class Part:
    """A graph, serialised, and the numbers of its initializers by name."""

    model: bytes
    weights: dict[str, NDArray[Any]]
    kind: Kind


@dataclass
class PartWriter:
    """Writes one part. `heads` is the number of attention heads of a layer."""

    kind: Kind
    tensors: Tensors
    heads: int
    activation: Function
    epsilon: float
    nodes: list[Any] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)
    constants: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def shared(
        self, embeddings: EmbeddingsPlan | None, layers: tuple[LayerPlan, ...], last: bool
    ) -> Part:
        """Layers that all heads share, after the embeddings or after `states` [tokens, hidden].

        Gives [tokens, hidden], or, where the `last` layer is the encoder's, [rows, hidden].
        """
        width = layers[0].qkv.inputs
        x = self._states(width) if embeddings is None else self._embeddings(embeddings)
        for index, layer in enumerate(layers):
            x = self._layer(x, layer, last and index == len(layers) - 1)
        return self._finished(x, layers[-1].outer.outputs)

    def head(self, plan: HeadPlan, hidden: int) -> Part:
        """A head: rows `taken` of `states`, through layers of its own where it has some."""
        x = self._node("Gather", self._states(hidden), self._input("taken"), axis=0)
        for index, layer in enumerate(plan.layers):
            x = self._layer(x, layer, index == len(plan.layers) - 1)
        outputs = hidden
        if plan.transform is not None:
            x = self._activated(self._linear(x, plan.transform), plan.activation)
            outputs = plan.transform.outputs
        if plan.norm is not None:
            x = self._norm(x, plan.norm)
        if plan.output is not None:
            x, outputs = self._linear(x, plan.output), plan.output.outputs
        return self._finished(x, outputs)

    # -- layers -----------------------------------------------------------------------------------

    def _embeddings(self, plan: EmbeddingsPlan) -> str:
        words = self._weight(f"{plan.word.name}.weight", lambda: self.tensors.matrix(plan.word))
        x = self._node("Gather", words, self._input("input_ids"), axis=0)
        tables = (("position_ids", plan.position), ("token_type_ids", plan.type))
        for ids, table in tables:
            if table is not None:
                read = partial(self.tensors.table, table)
                rows = self._weight(f"{table.name}.weight", read)
                x = self._node("Add", x, self._node("Gather", rows, self._input(ids), axis=0))
        x = self._norm(x, plan.norm)
        return x if plan.projection is None else self._linear(x, plan.projection)

    def _layer(self, x: str, layer: LayerPlan, only_rows: bool) -> str:
        """[tokens, hidden] to the same, or to [rows, hidden]."""
        mixed = self._attention(x, layer.qkv, only_rows)
        if only_rows:
            x = self._node("Gather", x, self._input("rows"), axis=0)
        x = self._node("Add", self._linear(mixed, layer.attended), x)
        x = self._norm(x, layer.attended_norm)
        inner = self._activated(self._linear(x, layer.inner), self.activation)
        return self._norm(self._node("Add", self._linear(inner, layer.outer), x), layer.outer_norm)

    def _attention(self, x: str, qkv: Product, only_rows: bool) -> str:
        """Each sequence over itself. Row t * 3 + i of the product is part i of token t."""
        width = qkv.outputs // 3
        shape = self._constant("shape", [-1, width])
        flat = self._node("Reshape", self._linear(x, qkv), shape)
        grids = [self._part(self._input("grid"), part) for part in range(3)]
        if only_rows:
            asked = self._node("Gather", self._input("rows"), self._input("row_grid"), axis=0)
            grids[0] = self._part(asked, 0)
        laid = [self._node("Gather", flat, grid, axis=0) for grid in grids]
        mixed = self._node(
            "MultiHeadAttention",
            *(*laid, "", self._input("lengths")),
            domain="com.microsoft",
            num_heads=self.heads,
        )
        cells = self._input("row_cells" if only_rows else "cells")
        return self._node("Gather", self._node("Flatten", mixed, axis=2), cells, axis=0)

    def _part(self, grid: str, part: int) -> str:
        first = self._node("Mul", grid, self._constant("parts", 3))
        return self._node("Add", first, self._constant(f"part.{part}", part))

    def _linear(self, x: str, product: Product) -> str:
        weight = self._weight(f"{product.name}.weight", lambda: self.tensors.matrix(product))
        if product.bias is None:
            return self._node("Gemm", x, weight, transB=1)
        return self._node("Gemm", x, weight, self._vector(product.bias), transB=1)

    def _activated(self, x: str, function: Function | None) -> str:
        match function:
            case "gelu":
                return self._node("Gelu", x)
            case "gelu_tanh":
                return self._node("Gelu", x, approximate="tanh")
            case "relu":
                return self._node("Relu", x)
            case "tanh":
                return self._node("Tanh", x)
            case None:
                return x

    def _norm(self, x: str, name: str) -> str:
        gain, bias = self._vector(f"{name}.weight"), self._vector(f"{name}.bias")
        return self._node("LayerNormalization", x, gain, bias, epsilon=self.epsilon)

    # -- writing ----------------------------------------------------------------------------------

    def _node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, list(inputs), [name], name=name, domain=domain, **attributes)
        )
        return name

    def _input(self, name: str) -> str:
        from onnx import helper

        if name not in self.inputs:
            self.inputs[name] = helper.make_tensor_value_info(name, *INPUTS[name])
        return name

    def _states(self, width: int) -> str:
        from onnx import helper

        self.inputs["states"] = helper.make_tensor_value_info("states", FLOAT, ["all", width])
        return self._cast("states", ELEMENTS[self.kind])

    def _cast(self, x: str, element: int) -> str:
        return x if self.kind == "fp32" else self._node("Cast", x, to=element)

    def _weight(self, name: str, read: Callable[[], FloatArray]) -> str:
        if name not in self.weights:
            self.weights[name] = as_kind(read(), self.kind)
        return name

    def _vector(self, name: str) -> str:
        return self._weight(name, lambda: self.tensors.vector(name))

    def _constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value, np.int64)
        return name

    def _finished(self, x: str, width: int) -> Part:
        from onnx import TensorProto, helper, numpy_helper

        self.nodes.append(helper.make_node("Identity", [self._cast(x, FLOAT)], [OUTPUT]))
        outside = []
        for name, array in self.weights.items():
            tensor = TensorProto(name=name, dims=array.shape, data_type=ELEMENTS[self.kind])
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="given as the session is made")
            outside.append(tensor)
        graph = helper.make_graph(
            self.nodes,
            "part",
            list(self.inputs.values()),
            [helper.make_tensor_value_info(OUTPUT, FLOAT, ["out", width])],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
            + outside,
        )
        model = helper.make_model(
            graph,
            producer_name="qingyu",
            ir_version=IR_VERSION,
            opset_imports=[
                helper.make_opsetid("", OPSET),
                helper.make_opsetid("com.microsoft", MICROSOFT_OPSET),
            ],
        )
        return Part(model.SerializeToString(), self.weights, self.kind)
