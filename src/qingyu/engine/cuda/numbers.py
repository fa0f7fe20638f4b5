"""The numbers that a GPU computes with, and the weights of a bundle as such numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qingyu.bundle import WEIGHTS
from qingyu.numbers import FloatArray
from qingyu.plan import Product, Table
from qingyu.tensors import TensorFile, unpack_int8

Kind: TypeAlias = Literal["fp32", "fp16", "bf16"]
BYTES: dict[Kind, int] = {"fp32": 4, "fp16": 2, "bf16": 2}
ELEMENTS: dict[Kind, int] = {"fp32": 1, "fp16": 10, "bf16": 16}
"""ONNX's numbers for the types (TensorProto.DataType)."""
LARGEST_FLOAT16 = 65504.0
READABLE = ("fp32", "fp16", "bf16", "int8")


class Tensors:
    """The tensors of a bundle's files by name, as float32: scales and fixed steps undone."""

    def __init__(self, folder: Path, own: Sequence[str] = ()) -> None:
        """`own`: a head's files, looked into first. Raises OSError, and ValueError where one is
        damaged."""
        self._files = [TensorFile(folder / name) for name in (*own, WEIGHTS)]

    def matrix(self, product: Product) -> FloatArray:
        """[outputs, inputs]. Raises KeyError where there is none."""
        stored = self._stored(f"{product.name}.weight")
        if product.weight == "int8":
            steps = unpack_int8(stored, product.outputs, product.inputs)
            stored = steps * self.vector(f"{product.name}.weight_scale")[:, None]
            if product.input == "fixed":  # the steps of its inputs were taken into the matrix
                stored = stored / self.vector(f"{product.name}.input_scale")
        return _float(stored, product.outputs, product.inputs)

    def table(self, table: Table) -> FloatArray:
        """[rows, width] of one that is only looked up. Raises KeyError."""
        stored = self._stored(f"{table.name}.weight")
        if table.weight == "int8":
            stored = stored * self.vector(f"{table.name}.weight_scale")[:, None]
        return _float(stored, table.rows, table.width)

    def vector(self, name: str) -> FloatArray:
        """A bias, a norm's gain, scales. Raises KeyError."""
        return np.asarray(self._stored(name), np.float32)

    def _stored(self, name: str) -> NDArray[Any]:
        file = next((file for file in self._files if name in file), self._files[-1])
        array = file.array(name)
        if file.place(name).dtype == "BF16":
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array


def _float(array: NDArray[Any], *shape: int) -> FloatArray:
    if array.shape != shape:
        raise ValueError(f"the files hold {array.shape} where the plan tells {shape}")
    return np.ascontiguousarray(array, np.float32)


def as_kind(array: FloatArray, kind: Kind) -> NDArray[Any]:
    """`array` as numbers of a kind; bfloat16 as its bits, uint16, rounded to nearest even.

    Raises ValueError where a number is too large for float16.
    """
    if kind == "fp16":
        if array.size and float(np.abs(array).max()) > LARGEST_FLOAT16:
            raise ValueError("a weight is beyond float16; build the bundle as bf16 or fp32")
        return array.astype(np.float16)
    if kind == "bf16":
        bits = np.ascontiguousarray(array, np.float32).view(np.uint32).astype(np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return array
