"""An ONNX file somebody else made, checked and adopted: its graph with ours around it.

What the file expects (ids and a mask in padded rectangles) is made from what the engine gives
(texts end to end), and what it answers is taken apart again, inside the graph: nothing that runs
a bundle need know. Such a file computes every position, and how it quantises is its own affair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper

from qingyu.build.graph import IR_VERSION, point
from qingyu.errors import CheckpointError
from qingyu.tensors import TensorWriter

NAMES = ("model.onnx", "onnx/model.onnx")
PREFIX = "adopted/"
LARGEST_FILE = 2**31 - 1  # protobuf's own limit
INLINE_BYTES = 256  # smaller tensors stay in the graph
LEAST_OPSET = 13  # since which axes of Unsqueeze are an input
DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
NEEDED = {"input_ids", "attention_mask"}
KNOWN = {*NEEDED, "token_type_ids"}
OUTPUTS = ("logits", "last_hidden_state")


@dataclass(frozen=True)
class Adopted:
    """A checked file: its graph without weights, where these lie, and what it answers."""

    path: Path
    model: onnx.ModelProto
    inputs: tuple[str, ...]
    output: str
    rank: int

    @property
    def answers_logits(self) -> bool:
        return self.output == OUTPUTS[0]


def read(path: Path) -> Adopted:
    """Raises CheckpointError where the file is damaged, not of the expected kind, or reaches for
    anything outside its folder.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise _error(path, "大于 2 GB", "is larger than 2 GB")
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise _error(path, str(error.strerror), str(error.strerror)) from error
    except CheckpointError:
        raise
    except Exception as error:  # protobuf's own, without types
        raise _error(path, "不是 ONNX 文件", f"is no ONNX file: {error}") from error
    for tensor in _tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            _external(path, tensor)
    domains = {entry.domain for entry in model.opset_import} | {
        node.domain for node in model.graph.node
    }
    if domains - DOMAINS or len(model.functions):
        names = ", ".join(sorted(domains - DOMAINS)) or "functions"
        raise _error(path, f"用到了自定义算子（{names}）", f"uses operators of its own ({names})")
    opset = max((entry.version for entry in model.opset_import if not entry.domain), default=0)
    if opset < LEAST_OPSET:
        raise _error(
            path, f"opset 为 {opset}，至少需要 {LEAST_OPSET}",
            f"is of opset {opset}; at least {LEAST_OPSET} is needed",
        )  # fmt: skip
    inputs = _checked_inputs(path, model.graph)
    output, rank = _checked_output(path, model.graph)
    return Adopted(path, model, inputs, output, rank)


def write(adopted: Adopted, store: TensorWriter, path: Path) -> None:
    """Write the graph, its weights in `store`, which is finished by it, with the engine's inputs
    and one output "hidden".
    """
    model = compose.add_prefix(adopted.model, PREFIX)
    graph = model.graph
    moved = [tensor for tensor in graph.initializer if _store(adopted.path, tensor, store)]
    store.close()
    for tensor in moved:
        kept = TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
        point(kept, store.path.name, store.place(tensor.name))
        tensor.CopyFrom(kept)
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.extend(
        helper.make_tensor_value_info(name, element, shape)
        for name, element, shape in (
            ("input_ids", TensorProto.INT64, ["tokens"]),
            ("token_type_ids", TensorProto.INT64, ["tokens"]),
            ("position_ids", TensorProto.INT64, ["tokens"]),
            ("lengths", TensorProto.INT32, ["sequences"]),
            ("grid", TensorProto.INT64, ["sequences", "longest"]),
            ("cells", TensorProto.INT64, ["tokens"]),
            ("rows", TensorProto.INT64, ["rows"]),
            ("row_grid", TensorProto.INT64, ["sequences", "most_rows"]),
            ("row_cells", TensorProto.INT64, ["rows"]),
        )
    )
    foreign = list(graph.node)
    del graph.node[:]
    graph.node.extend([*_before(adopted), *foreign, *_after(adopted)])
    graph.initializer.extend(
        numpy_helper.from_array(np.array(values, np.int64), name)
        for name, values in (
            ("zero", 0),
            ("one", 1),
            ("first", [0]),
            ("second", [1]),
            ("minus", [-1]),
            ("third", [2]),
        )
    )
    graph.output.append(
        helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["rows", "outputs"])
    )
    model.ir_version = min(model.ir_version, IR_VERSION)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _before(adopted: Adopted) -> Iterator[onnx.NodeProto]:
    """Rectangles of ids and of segments, and the mask of what is in them."""
    for name in adopted.inputs:
        if name != "attention_mask":
            yield helper.make_node("Gather", [name, "grid"], [f"{PREFIX}{name}"], axis=0)
    yield helper.make_node("Shape", ["grid"], ["grid_shape"])
    yield helper.make_node("Gather", ["grid_shape", "one"], ["longest"], axis=0)
    yield helper.make_node("Range", ["zero", "longest", "one"], ["columns"])
    yield helper.make_node("Unsqueeze", ["columns", "first"], ["columns_row"])
    yield helper.make_node("Cast", ["lengths"], ["long_lengths"], to=TensorProto.INT64)
    yield helper.make_node("Unsqueeze", ["long_lengths", "second"], ["lengths_column"])
    yield helper.make_node("Less", ["columns_row", "lengths_column"], ["inside"])
    yield helper.make_node("Cast", ["inside"], [f"{PREFIX}attention_mask"], to=TensorProto.INT64)


def _after(adopted: Adopted) -> Iterator[onnx.NodeProto]:
    """The rows asked for: of each token, or of each text."""
    answer = f"{PREFIX}{adopted.output}"
    if adopted.rank == 3:
        yield helper.make_node("Shape", [answer], ["whole_shape"])
        yield helper.make_node("Gather", ["whole_shape", "third"], ["answer_shape"], axis=0)
        yield helper.make_node("Concat", ["minus", "answer_shape"], ["flat_shape"], axis=0)
        yield helper.make_node("Reshape", [answer, "flat_shape"], ["flat"])
        yield helper.make_node("Gather", ["cells", "rows"], ["places"], axis=0)
        yield helper.make_node("Gather", ["flat", "places"], ["chosen"], axis=0)
    else:
        yield helper.make_node("Shape", ["row_grid"], ["row_shape"])
        yield helper.make_node("Gather", ["row_shape", "one"], ["most_rows"], axis=0)
        yield helper.make_node("Div", ["row_cells", "most_rows"], ["texts"])
        yield helper.make_node("Gather", [answer, "texts"], ["chosen"], axis=0)
    yield helper.make_node("Cast", ["chosen"], ["hidden"], to=TensorProto.FLOAT)


def _store(path: Path, tensor: TensorProto, store: TensorWriter) -> bool:
    """Copy a tensor's bytes, wherever they are, to the weight file; False for one that is small."""
    if tensor.data_location == TensorProto.EXTERNAL:
        file, offset, length = _external(path, tensor)
        data: NDArray[np.uint8] = np.memmap(file, np.uint8, "r", offset, (length,))
    elif tensor.data_type == TensorProto.STRING or tensor.ByteSize() <= INLINE_BYTES:
        return False
    else:
        raw = tensor.raw_data or numpy_helper.to_array(tensor).tobytes()
        data = np.frombuffer(raw, np.uint8)
    store.append(tensor.name, data)  # as bytes: what they stand for is the graph's own affair
    return True


def _external(path: Path, tensor: TensorProto) -> tuple[Path, int, int]:
    """File, offset and length of a tensor's bytes, which must lie in the graph's own folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = path.parent.resolve()
    file = (folder / location).resolve()
    if not location or Path(location).is_absolute() or file.parent != folder or "\0" in location:
        raise _error(
            path, f"的张量 {tensor.name} 指向目录之外：{location[:80]}",
            f"has a tensor {tensor.name} outside its folder: {location[:80]}",
        )  # fmt: skip
    try:
        size = file.stat().st_size if file.is_file() else -1
        offset = int(entries.get("offset", 0))
        length = int(entries.get("length", size - offset))
    except (OSError, ValueError):
        size, offset, length = -1, 0, 0
    if not 0 <= offset <= offset + length <= size or length == 0:
        raise _error(
            path, f"的张量 {tensor.name} 在 {location} 中的数据不完整",
            f"has a tensor {tensor.name} whose data in {location} is incomplete",
        )  # fmt: skip
    return file, offset, length


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """Every tensor of a graph, those of attributes and inner graphs included."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                if inner.ByteSize():
                    yield from _tensors(inner)


def _checked_inputs(path: Path, graph: onnx.GraphProto) -> tuple[str, ...]:
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    names = {value.name for value in inputs}
    if not names >= NEEDED or names - KNOWN:
        raise _error(
            path, f"的输入为 {'、'.join(sorted(names))}，应为 input_ids、attention_mask，可有"
            " token_type_ids",
            f"has the inputs {', '.join(sorted(names))}; expected are input_ids, attention_mask "
            "and perhaps token_type_ids",
        )  # fmt: skip
    for value in inputs:
        kind = value.type.tensor_type
        fixed = [size.dim_value for size in kind.shape.dim if size.HasField("dim_value")]
        if kind.elem_type != TensorProto.INT64 or len(kind.shape.dim) != 2 or fixed:
            raise _error(
                path, f"的输入 {value.name} 应为 int64 [批, 长度]，两维都可变",
                f"has an input {value.name} that should be int64 [batch, length], both dynamic",
            )  # fmt: skip
    return tuple(value.name for value in inputs)


def _checked_output(path: Path, graph: onnx.GraphProto) -> tuple[str, int]:
    types = {value.name: value.type.tensor_type for value in graph.output}
    for name in OUTPUTS:
        if name in types:
            rank = len(types[name].shape.dim)
            if rank == 3 or (rank == 2 and name == OUTPUTS[0]):
                return name, rank
    raise _error(
        path, f"的输出为 {'、'.join(types)}，应有 logits 或 last_hidden_state",
        f"has the outputs {', '.join(types)}; expected is logits or last_hidden_state",
    )  # fmt: skip


def _error(path: Path, zh: str, en: str) -> CheckpointError:
    return CheckpointError(f"{path} {zh}。", f"{path} {en}.")
