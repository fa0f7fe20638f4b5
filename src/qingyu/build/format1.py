"""Bundles of format 1, whose weights only the graphs know: read by tracing their nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, numpy_helper

from qingyu.errors import BuildError
from qingyu.plan import GELU_FLOOR, Function, InputKind, Product, WeightKind
from qingyu.tensors import TensorWriter, pack_columns, pack_int4, pack_int8

Floats = NDArray[np.float32]

PRODUCTS = ("MatMul", "MatMulIntegerToFloat", "MatMulNBits", "Gemm")
NEAR = 4  # units in the last place within which what was computed from a number finds it again


class OldGraph:
    """One graph: its tensors by name, what each product is fed, and its functions."""

    def __init__(self, path: Path) -> None:
        self.model = onnx.load(path)
        self.arrays: dict[str, NDArray[Any]] = {}
        self.bfloat16: set[str] = set()
        for tensor in self.model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            if tensor.data_type == TensorProto.BFLOAT16:
                array = array.view(np.uint16)
                self.bfloat16.add(tensor.name)
            self.arrays[tensor.name] = array
        self._makers = {name: node for node in self.model.graph.node for name in node.output}

    def matrices(self) -> list[str]:
        """The names of the matrices that are multiplied, in the order of computing."""
        names: list[str] = []
        for node in self.model.graph.node:
            name = self._weight(node) if node.op_type in PRODUCTS else ""
            if name and name not in names:
                names.append(name)
        return names

    def attribute(self, operator: str, name: str) -> Any:
        """An attribute of the first node of a kind, or None."""
        for node in self.model.graph.node:
            if node.op_type == operator:
                for attribute in node.attribute:
                    if attribute.name == name:
                        return onnx.helper.get_attribute_value(attribute)
        return None

    def function(self) -> Function | None:
        """The activation that it applies, if any."""
        for node in self.model.graph.node:
            if node.op_type == "Gelu":
                tanh = any(a.name == "approximate" and a.s == b"tanh" for a in node.attribute)
                return "gelu_tanh" if tanh else "gelu"
            if node.op_type in ("Relu", "Tanh"):
                return "relu" if node.op_type == "Relu" else "tanh"
        return None

    def norms(self) -> list[str]:
        """The names of its norms, in order."""
        return [
            node.input[1].removesuffix(".weight")
            for node in self.model.graph.node
            if node.op_type == "LayerNormalization"
        ]

    def input_kind(self, name: str) -> tuple[InputKind, Floats | None]:
        """What the rows are that meet a matrix, and the inverse of their fixed steps."""
        node = next(node for node in self.model.graph.node if self._weight(node) == name)
        if node.op_type == "MatMulNBits":
            return "block", None
        if node.op_type != "MatMulIntegerToFloat":
            return "float", None
        source = self._makers[node.input[0]]
        if source.op_type == "Gather":  # the rows that were asked for
            source = self._makers[source.input[0]]
        maker = self._makers.get(source.input[0])
        if maker is not None and maker.op_type == "Mul" and maker.input[1] in self.arrays:
            return "fixed", self.arrays[maker.input[1]]
        return ("floor" if f"{name}.raised_bias" in self.arrays else "row"), None

    def inputs_of(self, name: str) -> int:
        """Inputs of a matrix of 4 bits, which is stored in whole blocks."""
        node = next(node for node in self.model.graph.node if self._weight(node) == name)
        return next(int(a.i) for a in node.attribute if a.name == "K")

    def _weight(self, node: NodeProto) -> str:
        """The tensor that a product reads, through what turns or widens it; "" for none."""
        if len(node.input) < 2:
            return ""
        name = node.input[1]
        while name not in self.arrays:
            maker = self._makers.get(name)
            if maker is None or maker.op_type not in ("Cast", "Transpose"):
                return ""
            name = maker.input[0]
        return str(name).removesuffix(".int4")


@dataclass(frozen=True)
class Converter:
    """Writes tensors of old graphs under their names of format 2."""

    graph: OldGraph
    out: TensorWriter

    def plain(self, old: str, new: str) -> None:
        """A tensor as it is."""
        dtype = "BF16" if old in self.graph.bfloat16 else ""
        self.out.append(new, self.graph.arrays[old], dtype)

    def norm(self, old: str, new: str) -> None:
        for part in ("weight", "bias"):
            self.plain(f"{old}.{part}", f"{new}.{part}")

    def table(self, old: str, new: str, packed: bool = False) -> tuple[int, int, WeightKind]:
        """A table, with its scales; its rows, width and kind."""
        rows = self.graph.arrays[old]
        if rows.dtype != np.int8:
            self.plain(old, f"{new}.weight")
            return *rows.shape, self._kind(old)
        self.out.append(f"{new}.weight", pack_int8(rows) if packed else rows)
        self.out.append(f"{new}.weight_scale", self.graph.arrays[f"{old}.scale"].ravel())
        if packed:
            self.out.append(f"{new}.weight_sum", rows.sum(axis=1, dtype=np.int32))
        return *rows.shape, "int8"

    def product(self, olds: Sequence[str], new: str) -> Product:
        """One product out of matrices of the same inputs."""
        arrays = self.graph.arrays
        kind, inverse = self.graph.input_kind(olds[0])
        if kind == "block":
            (old,) = olds
            weight: WeightKind = "int4"
            rows = arrays[f"{old}.int4"]
            outputs = len(rows)
            inputs = self.graph.inputs_of(old)
            self.out.append(f"{new}.weight", pack_int4(rows))
            scales = arrays[f"{old}.int4_scale"].reshape(outputs, -1)
            self.out.append(f"{new}.weight_scale", pack_columns(scales), "BF16")
            zeros = arrays[f"{old}.int4_zero"].reshape(outputs, -1)
            self.out.append(f"{new}.weight_zero_point", pack_columns(zeros))
        else:
            matrix = np.concatenate([arrays[old].T for old in olds])
            outputs, inputs = matrix.shape
            weight = self._kind(olds[0])
            if weight == "int8":
                self.out.append(f"{new}.weight", pack_int8(matrix))
                scale = np.concatenate([arrays[f"{old}.scale"].ravel() for old in olds])
                self.out.append(f"{new}.weight_scale", scale)
                self.out.append(f"{new}.weight_sum", matrix.sum(axis=1, dtype=np.int32))
            else:
                self.out.append(f"{new}.weight", matrix, "BF16" if weight == "bf16" else "")
        if inverse is not None:
            self.out.append(f"{new}.input_scale", again(_inverse(inverse), _inverse, inverse))
        bias = self._bias(olds, kind, matrix if kind == "floor" else None)
        if bias is not None:
            self.out.append(f"{new}.bias", bias)
        name = None if bias is None else f"{new}.bias"
        return Product(new, outputs, inputs, weight, kind, name)

    def _bias(self, olds: Sequence[str], kind: InputKind, matrix: Any) -> Floats | None:
        arrays = self.graph.arrays
        if kind == "floor":
            (old,) = olds
            raised, scale = arrays[f"{old}.raised_bias"], arrays[f"{old}.scale"]
            rest = np.float32(GELU_FLOOR) * scale * matrix.sum(axis=1, dtype=np.float32)
            return again(raised - rest, lambda x: x + rest, raised)
        if f"{olds[0]}.bias" not in arrays:
            return None
        return np.concatenate([arrays[f"{old}.bias"] for old in olds])

    def _kind(self, old: str) -> WeightKind:
        if old in self.graph.bfloat16:
            return "bf16"
        kinds: dict[Any, WeightKind] = {np.int8: "int8", np.float16: "fp16", np.float32: "fp32"}
        return kinds[self.graph.arrays[old].dtype.type]


def _inverse(values: Floats) -> Floats:
    return np.asarray(np.float32(1) / values, np.float32)


def again(guess: Floats, of: Callable[[Floats], Floats], wanted: Floats) -> Floats:
    """Numbers near `guess` of which `of` makes those `wanted`, to the last bit.

    Raises BuildError where there are none; there are, where `wanted` was made so.
    """
    restored = guess.astype(np.float32)
    low = high = restored
    for _ in range(NEAR):
        low, high = (
            np.nextafter(low, np.float32(-np.inf), dtype=np.float32),
            np.nextafter(high, np.float32(np.inf), dtype=np.float32),
        )
        for near in (low, high):
            restored = np.where((of(restored) != wanted) & (of(near) == wanted), near, restored)
    if not np.array_equal(of(restored), wanted):
        raise BuildError(
            "旧格式中的数无法还原到最后一位。", "A number of the old format cannot be restored."
        )
    return np.asarray(restored, np.float32)
