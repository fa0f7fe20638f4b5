"""An ONNX graph being written: nodes in memory, weights streamed to one file beside it.

Weights never pile up in memory. Each is appended to the bundle's weight file as it comes, and the
graph keeps where it lies (ONNX external data), so that building needs the room of one tensor and
loading can map the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 24
MICROSOFT_OPSET = 1
IR_VERSION = 10
ALIGNMENT = 64  # a cache line, and what ONNX Runtime asks of mapped tensors is less
INLINE_BYTES = 256  # smaller constants live in the graph itself


class WeightFile:
    """The one file that holds every large tensor of a bundle; appended to, never read.

    Tensors appended under the same key are stored once (tied embeddings).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._file: BinaryIO = path.open("xb")
        self._places: dict[str, tuple[int, int]] = {}

    def append(self, key: str, array: NDArray[Any]) -> tuple[int, int]:
        """Store `array` (C order, little endian); return its offset and length in bytes."""
        if key not in self._places:
            self._file.write(b"\0" * (-self._file.tell() % ALIGNMENT))
            offset = self._file.tell()
            self._file.write(np.ascontiguousarray(array).tobytes())
            self._places[key] = (offset, self._file.tell() - offset)
        return self._places[key]

    def close(self) -> None:
        self._file.close()


class Graph:
    """Writes one graph; values are named by strings, as ONNX does."""

    def __init__(self, name: str, weights: WeightFile) -> None:
        self.name = name
        self.weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._weight_names: set[str] = set()

    def input(self, name: str, dtype: type[np.generic], shape: Sequence[str | int]) -> str:
        self._inputs.append(_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, shape: Sequence[str | int]) -> None:
        """Give `value` (float32) out under `name`."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(_value_info(name, np.float32, shape))

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

    def microsoft(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node of ONNX Runtime's own operator set."""
        return self.node(op, *inputs, domain="com.microsoft", **attributes)

    def cast(self, value: str, dtype: type[np.generic]) -> str:
        return self.node("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def constant(self, values: Any, dtype: type[np.generic]) -> str:
        """A small constant; equal ones are written once."""
        array = np.asarray(values, dtype=dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._shared:
            name = f"constant_{len(self._shared)}"
            self._initializers.append(numpy_helper.from_array(array, name))
            self._shared[key] = name
        return self._shared[key]

    def weight(self, name: str, array: NDArray[Any], element: int | None = None) -> str:
        """A model weight. The same name gives the same tensor in every graph of the bundle.

        `element` is ONNX's name of the type where numpy has none: bfloat16 comes as uint16.
        """
        if name in self._weight_names:
            return name
        self._weight_names.add(name)
        if array.nbytes <= INLINE_BYTES and element is None:
            self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
            return name
        offset, length = self.weights.append(name, array)
        tensor = TensorProto(name=name, dims=array.shape)
        tensor.data_type = element or helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", self.weights.name),
            ("offset", str(offset)),
            ("length", str(length)),
        ):
            tensor.external_data.add(key=key, value=value)
        self._initializers.append(tensor)
        return name

    def save(self, path: Path) -> None:
        """Write the graph; its weights are in the weight file already."""
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, self._initializers
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


def _value_info(
    name: str, dtype: type[np.generic], shape: Sequence[str | int]
) -> onnx.ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element, list(shape))
