"""An ONNX graph being written: nodes in memory, weights in the safetensors files beside it.

Weights never pile up in memory. Each is appended to a file as it comes, and the graph keeps its
name; where it lies (ONNX external data) is written when the file is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qingyu.plan import Product, Table
from qingyu.tensors import Place, TensorFile, TensorWriter

OPSET = 24
MICROSOFT_OPSET = 1
IR_VERSION = 10

Tensors: TypeAlias = TensorWriter | TensorFile
"""A file of tensors, being written or finished."""

ELEMENTS = {
    "F32": TensorProto.FLOAT, "F16": TensorProto.FLOAT16, "BF16": TensorProto.BFLOAT16,
    "I8": TensorProto.INT8, "U8": TensorProto.UINT8, "I32": TensorProto.INT32,
    "I64": TensorProto.INT64,
}  # fmt: skip


class Graph:
    """Writes one graph; values are named by strings, as ONNX does.

    products, tables: what it multiplies and looks up, by name, as the bundle's plan tells of it
    """

    def __init__(self, name: str, own: Tensors, shared: Sequence[Tensors] = ()) -> None:
        """New weights go to `own`; those that `shared` files hold are found there."""
        self.name = name
        self.products: dict[str, Product] = {}
        self.tables: dict[str, Table] = {}
        self._own = own
        self._files = (own, *shared)
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._weights: dict[str, tuple[str, Sequence[int] | None]] = {}

    def input(self, name: str, dtype: type[np.generic], shape: Sequence[str | int]) -> str:
        self._inputs.append(_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, shape: Sequence[str | int]) -> None:
        """Give `value` (float32) out under `name`."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(_value_info(name, np.float32, shape))

    def gives(self, name: str) -> bool:
        """Whether something is given out under `name`."""
        return any(output.name == name for output in self._outputs)

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = f"{op}_{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(op, list(inputs), [name], name=name, domain=domain, **attributes)
        )
        return name

    def split(self, value: str, sizes: str, count: int, axis: int = 1) -> list[str]:
        """`value` in `count` pieces of the lengths `sizes` along `axis`."""
        stem = f"Split_{len(self._nodes)}"
        names = [f"{stem}.{part}" for part in range(count)]
        self._nodes.append(helper.make_node("Split", [value, sizes], names, name=stem, axis=axis))
        return names

    def cut(self, value: str, *spans: tuple[int, int] | None) -> str:
        """`value` from the first to before the second index of each axis; None keeps an axis."""
        kept = [(axis, *span) for axis, span in enumerate(spans) if span is not None]
        if not kept:
            return value
        axes, starts, ends = (self.constant(column, np.int64) for column in zip(*kept, strict=True))
        return self.node("Slice", value, starts, ends, axes)

    def microsoft(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node of ONNX Runtime's own operator set."""
        return self.node(op, *inputs, domain="com.microsoft", **attributes)

    def cast(self, value: str, dtype: type[np.generic]) -> str:
        return self.node("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def constant(self, values: Any, dtype: type[np.generic]) -> str:
        """A small constant, in the graph itself; equal ones are written once."""
        array = np.asarray(values, dtype=dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._shared:
            name = f"constant_{len(self._shared)}"
            self._initializers.append(numpy_helper.from_array(array, name))
            self._shared[key] = name
        return self._shared[key]

    def holds(self, name: str) -> bool:
        """Whether one of its files has this tensor."""
        return any(name in file for file in self._files)

    def store(self, name: str, array: NDArray[Any], dtype: str = "") -> None:
        """Append a tensor to the graph's own file; `dtype` as in `TensorWriter.append`."""
        if not isinstance(self._own, TensorWriter):
            raise TypeError(f"{self._own.path} is finished; {name} cannot be added")
        self._own.append(name, array, dtype)

    def weight(
        self,
        name: str,
        read: Callable[[], NDArray[Any]] | None = None,
        shape: Sequence[int] | None = None,
        again: bool = False,
    ) -> str:
        """The tensor `name`, which `read` gives where no file holds it; as `shape` says, where the
        graph is to see its numbers in another one; under a name of its own with `again`.
        """
        if read is not None and not self.holds(name):
            self.store(name, read())
        key = name if shape is None else f"{name} {list(shape)}"
        if again and key in self._weights:
            key = f"{key} {len(self._weights)}"
        self._weights[key] = (name, shape)
        return key

    def save(self, path: Path) -> None:
        """Write the graph; all its files are finished."""
        external = [self._external(key, *weight) for key, weight in self._weights.items()]
        graph = helper.make_graph(
            self._nodes,
            self.name,
            self._inputs,
            self._outputs,
            [*self._initializers, *external],
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
        path.write_bytes(model.SerializeToString(deterministic=True))

    def _external(self, key: str, name: str, shape: Sequence[int] | None) -> TensorProto:
        file = next(file for file in self._files if name in file)
        place = file.place(name)
        tensor = TensorProto(
            name=key,
            dims=place.shape if shape is None else shape,
            data_type=ELEMENTS[place.dtype],
        )
        point(tensor, file.path.name, place)
        return tensor


def point(tensor: TensorProto, file: str, place: Place) -> None:
    """Let a tensor's numbers be those at a place of a file in the graph's folder."""
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", place.offset), ("length", place.bytes)):
        tensor.external_data.add(key=key, value=str(value))


def _value_info(
    name: str, dtype: type[np.generic], shape: Sequence[str | int]
) -> onnx.ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element, list(shape))
