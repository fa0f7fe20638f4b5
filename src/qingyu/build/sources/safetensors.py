"""safetensors: a JSON header that says where each tensor lies, then the bytes.

Format: https://github.com/huggingface/safetensors (8 bytes little-endian length of the header,
the header, the data; offsets count from the end of the header).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from qingyu.build.sources.mistaken import refuse_stand_in
from qingyu.build.sources.weights import ITEM_BYTES, StoredTensor
from qingyu.errors import CheckpointError

LARGEST_HEADER = 100_000_000
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"


def read_file(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file. Raises CheckpointError where it is cut short or inconsistent."""
    refuse_stand_in(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            total = path.stat().st_size
            if not 2 <= length <= min(LARGEST_HEADER, total - 8):
                raise _error(path, "文件头不完整", "its header is incomplete")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        return {name: _piece(path, name, info, 8 + length, total) for name, info in header.items()}
    except OSError as error:
        raise _error(path, str(error.strerror), str(error.strerror)) from error
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise _error(path, f"文件头损坏：{error}", f"its header is damaged: {error}") from error


def read_sharded(index: Path) -> dict[str, StoredTensor]:
    """The tensors of all shards that `model.safetensors.index.json` lists."""
    return gather(index, read_file)


def gather(index: Path, read: Any) -> dict[str, StoredTensor]:
    """Tensors as an index maps them to shards beside it, each shard read by `read`."""
    try:
        places = json.loads(index.read_text("utf-8-sig"))["weight_map"]
        shards = sorted(set(places.values()))
        if not all(Path(shard).name == shard for shard in shards):
            raise ValueError(shards)
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{index} 应把张量对应到同一目录中的分片：{error}",
            f"{index} should map tensors to shards beside it: {error}",
        ) from error
    tensors: dict[str, StoredTensor] = {}
    for shard in shards:
        tensors |= read(index.parent / shard)
    for name in places:
        if name not in tensors:
            raise CheckpointError(
                f"{index} 列出的张量 {name} 不在分片 {places[name]} 中。",
                f"{index} lists the tensor {name}, but {places[name]} does not hold it.",
            )
    return tensors


def _piece(path: Path, name: str, info: dict[str, Any], start: int, total: int) -> StoredTensor:
    shape = tuple(info["shape"])
    first, last = info["data_offsets"]
    dtype = str(info["dtype"])
    whole = all(type(number) is int and number >= 0 for number in (*shape, first, last))
    size = ITEM_BYTES.get(dtype)
    if (
        not whole
        or start + last > total
        or first > last
        or (size is not None and math.prod(shape) * size != last - first)
    ):
        raise CheckpointError(
            f"{path} 不完整或损坏：张量 {name}（{dtype} {list(shape)}）与字节 {first} 到 {last} "
            f"不符，文件共 {total} 字节。",
            f"{path} is cut short or damaged: the tensor {name} ({dtype} {list(shape)}) does not "
            f"fit bytes {first} to {last} of a file of {total} bytes.",
        )
    return StoredTensor(path, start + first, dtype, shape)


def _error(path: Path, zh: str, en: str) -> CheckpointError:
    return CheckpointError(
        f"无法读取权重文件 {path}：{zh}。", f"Cannot read the weight file {path}: {en}."
    )
