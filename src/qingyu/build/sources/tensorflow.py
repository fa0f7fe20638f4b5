"""TensorFlow checkpoints, and the variables of a SavedModel, without TensorFlow.

`<prefix>.index` is a LevelDB table (its format: doc/table_format.md there) from names to where in
`<prefix>.data-*` a tensor lies. Names are those of Google's BERT, turned into Hugging Face's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from qingyu.build.sources.protobuf import fields, varint
from qingyu.build.sources.weights import ITEM_BYTES, StoredTensor
from qingyu.errors import CheckpointError

SUFFIX = ".index"
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER = 48
DTYPES = {1: "F32", 2: "F64", 3: "I32", 9: "I64", 14: "BF16", 19: "F16"}
TRAINING = re.compile(r"(^|/)(adam_[mv]|adam|global_step|learning_rate)(/|$|_)", re.IGNORECASE)
OBJECTS = "/.ATTRIBUTES/"  # names of the second version's object graphs

TABLES = ("word_embeddings", "position_embeddings", "token_type_embeddings")
WHOLE = {
    "output_weights": "classifier.weight",
    "output_bias": "classifier.bias",
    "cls/predictions/output_bias": "cls.predictions.bias",
    "cls/seq_relationship/output_weights": "cls.seq_relationship.weight",
    "cls/seq_relationship/output_bias": "cls.seq_relationship.bias",
}


def read_checkpoint(index: Path) -> dict[str, StoredTensor]:
    """The tensors of `<prefix>.index` but those of training, under Hugging Face's names.

    Raises CheckpointError where a file is damaged, or of object graphs, which name no layers.
    """
    try:
        entries = list(_entries(index.read_bytes()))
    except OSError as error:
        raise _error(index, str(error.strerror), str(error.strerror)) from error
    except (ValueError, IndexError, TypeError) as error:
        raise _error(index, f"已损坏：{error}", f"is damaged: {error}") from error
    tensors: dict[str, StoredTensor] = {}
    shards = 1
    for name, value in entries:
        if not name:
            shards = dict(fields(value)).get(1, 1)
        elif OBJECTS in name:
            raise _error(
                index,
                "由 Keras 写成，变量没有层名；请先在 transformers 中另存为 safetensors",
                "was written by Keras, whose variables name no layers; save it as safetensors "
                "with transformers first",
            )
        elif not TRAINING.search(name):
            piece = _piece(index, name, value, shards)
            new, turned = renamed(name)
            tensors[new] = _transposed(piece) if turned else piece
    if not tensors:
        raise _error(index, "没有张量", "holds no tensors")
    return tensors


def renamed(name: str) -> tuple[str, bool]:
    """Hugging Face's name of a variable of Google's, and whether its matrix is turned there."""
    if name in WHOLE:
        return WHOLE[name], False
    parts = [re.sub(r"^layer_(\d+)$", r"layer.\1", part) for part in name.split("/")]
    if parts[-1] == "kernel":
        return ".".join([*parts[:-1], "weight"]), True
    last = {"gamma": "weight", "beta": "bias"}.get(parts[-1], parts[-1])
    ending = [last, "weight"] if last in TABLES else [last]
    return ".".join([*parts[:-1], *ending]), False


def _entries(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Keys and values of a table, in their order."""
    if len(data) < FOOTER or data[-8:] != MAGIC:
        raise ValueError("no table of TensorFlow's")
    place = 0
    footer = data[-FOOTER:]
    for _ in range(2):  # the place and size of the index of meta blocks
        _, place = varint(footer, place)
    for _, handle in _block(data, footer[place:]):
        for key, value in _block(data, handle):
            yield key.decode("utf-8"), value


def _block(data: bytes, handle: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Entries of the block whose place and size `handle` tells."""
    start, place = varint(handle, 0)
    size, _ = varint(handle, place)
    if start + size + 5 > len(data) or size < 4:
        raise ValueError("a block past the end")
    if data[start + size]:
        raise ValueError("compressed blocks are not read")
    block = data[start : start + size]
    restarts = int.from_bytes(block[-4:], "little")
    end = size - 4 * (restarts + 1)
    place, key = 0, b""
    while place < end:
        shared, place = varint(block, place)
        fresh, place = varint(block, place)
        length, place = varint(block, place)
        key = key[:shared] + block[place : place + fresh]
        place += fresh
        yield key, block[place : place + length]
        place += length


def _piece(index: Path, name: str, value: bytes, shards: int) -> StoredTensor:
    """Where a tensor lies, if its bytes are there."""
    entry = dict(fields(value))
    dtype = DTYPES.get(entry.get(1, 0), f"type {entry.get(1, 0)}")
    shape = tuple(
        dict(fields(size)).get(1, 0) for number, size in fields(entry.get(2, b"")) if number == 2
    )
    prefix = index.name.removesuffix(SUFFIX)
    path = index.with_name(f"{prefix}.data-{entry.get(3, 0):05}-of-{shards:05}")
    offset, size = entry.get(4, 0), entry.get(5, 0)
    total = path.stat().st_size if path.is_file() else -1
    item = ITEM_BYTES.get(dtype)
    if offset + size > total or (item is not None and math.prod(shape) * item != size):
        raise _error(path, f"缺失或不完整：{name}", f"is missing or cut short: {name}")
    return StoredTensor(path, offset, dtype, shape)


def _transposed(piece: StoredTensor) -> StoredTensor:
    if len(piece.shape) != 2:
        return piece
    rows, columns = piece.shape
    return StoredTensor(piece.path, piece.offset, piece.dtype, (columns, rows), (1, columns))


def _error(path: Path, zh: str, en: str) -> CheckpointError:
    return CheckpointError(f"TensorFlow 检查点 {path} {zh}。", f"The TensorFlow file {path} {en}.")
