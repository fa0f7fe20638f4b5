"""Safetensors files: tensors by name, mapped where they lie, and written so that they can be.

Format: https://github.com/huggingface/safetensors (8 bytes little-endian length of the header, the
header as JSON, the data). `docs/bundle-format.md` says what a bundle's files promise beyond it.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64  # a cache line; a vector of AVX-512; a row of an AMX tile
PADDING = "padding."  # tensors that only fill gaps, since the format allows no holes
METADATA = "__metadata__"
LARGEST_HEADER = 100_000_000
ROWS, COLUMNS = 16, 4  # outputs and inputs of one packed group of INT8 weights
BLOCK = 64  # inputs of INT4 weights that have a step of their own

# numpy has no bfloat16: its bits come as uint16.
DTYPES: Mapping[str, str] = {
    "BOOL": "|b1", "I8": "|i1", "U8": "|u1", "I16": "<i2", "U16": "<u2", "I32": "<i4",
    "U32": "<u4", "I64": "<i8", "U64": "<u8", "F16": "<f2", "BF16": "<u2", "F32": "<f4",
    "F64": "<f8",
}  # fmt: skip
NAMES = {np.dtype(kind): name for name, kind in DTYPES.items() if name != "BF16"}


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: `offset` and `bytes` in its file, C order."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    bytes: int


class TensorFile:
    """The tensors of a file, mapped: reading one costs the pages that are touched."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, and ValueError where the file is damaged or cut short."""
        self.path = path
        self.places = read_places(path)
        self._bytes = np.memmap(path, np.uint8, "r")

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def place(self, name: str) -> Place:
        """Raises KeyError where there is no such tensor."""
        return self.places[name]

    def array(self, name: str) -> NDArray[Any]:
        """A read-only view; bfloat16 as uint16. Raises KeyError where there is no such tensor."""
        place = self.places[name]
        flat = self._bytes[place.offset : place.offset + place.bytes]
        return flat.view(DTYPES[place.dtype]).reshape(place.shape)


def read_places(path: Path) -> dict[str, Place]:
    """Where each tensor of a file lies, in the file's order, without what only fills gaps.

    Raises OSError, and ValueError where the header is damaged or the file is cut short.
    """
    total = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(LARGEST_HEADER, total - 8):
            raise ValueError("the header is incomplete")
        try:
            header = json.loads(file.read(length))
            header.pop(METADATA, None)
            places = {name: _place(info, 8 + length) for name, info in header.items()}
        except (RecursionError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the header is damaged: {error}") from error
    for name, place in places.items():
        size = np.dtype(DTYPES[place.dtype]).itemsize * math.prod(place.shape)
        if (
            place.offset + place.bytes > total
            or size != place.bytes
            or min(place.shape, default=0) < 0
        ):
            raise ValueError(f"the tensor {name} does not fit the file")
    return {name: place for name, place in places.items() if not name.startswith(PADDING)}


def _place(info: Mapping[str, Any], start: int) -> Place:
    first, last = map(int, info["data_offsets"])
    if str(info["dtype"]) not in DTYPES or not 0 <= first <= last:
        raise ValueError(f"dtype {info['dtype']}, bytes {first} to {last}")
    return Place(str(info["dtype"]), tuple(map(int, info["shape"])), start + first, last - first)


class TensorWriter:
    """Writes one file. Tensors are appended as they come and never held; since the header, which
    comes first, is known last, the data wait in a file beside until `close`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._beside = path.with_name(path.name + ".data")
        self._data: BinaryIO = self._beside.open("xb")
        self._places: dict[str, Place] = {}
        self._start = 0
        self._gaps = 0

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def append(self, name: str, array: NDArray[Any], dtype: str = "") -> None:
        """Store `array` (C order, little-endian), once however often it comes by this name.

        `dtype` is safetensors' name of the type where numpy has none: bfloat16 comes as uint16.
        """
        if name in self._places:
            return
        self._fill()
        kind = dtype or NAMES[array.dtype.newbyteorder("<")]
        content = np.ascontiguousarray(array, DTYPES[kind]).tobytes()
        self._places[name] = Place(kind, array.shape, self._data.tell(), len(content))
        self._data.write(content)

    def place(self, name: str) -> Place:
        """Where a tensor lies in the finished file. Raises KeyError for one that was not stored;
        offsets are known after `close`."""
        place = self._places[name]
        return Place(place.dtype, place.shape, self._start + place.offset, place.bytes)

    def close(self) -> None:
        """Put the header before the data. Closing again does nothing."""
        if self._data.closed:
            return
        self._fill()
        self._data.close()
        header: dict[str, Any] = {METADATA: {"format": "qingyu"}}
        for name, place in self._places.items():
            offsets = [place.offset, place.offset + place.bytes]
            header[name] = {"dtype": place.dtype, "shape": place.shape, "data_offsets": offsets}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-(8 + len(text)) % ALIGNMENT)
        self._start = 8 + len(text)
        with self.path.open("xb") as file, self._beside.open("rb") as data:
            file.write(len(text).to_bytes(8, "little") + text)
            shutil.copyfileobj(data, file, 1 << 20)
        self._beside.unlink()

    def _fill(self) -> None:
        """Fill up to the next multiple of ALIGNMENT with a tensor of zeros."""
        missing = -self._data.tell() % ALIGNMENT
        if missing:
            place = Place("U8", (missing,), self._data.tell(), missing)
            self._places[f"{PADDING}{self._gaps}"] = place
            self._gaps += 1
            self._data.write(b"\0" * missing)


def pack_int8(matrix: NDArray[np.int8]) -> NDArray[np.int8]:
    """[N, K] as [N/16, K/4, 16, 4], both rounded up and filled with zeros."""
    outputs, inputs = matrix.shape
    padded = np.zeros((-(-outputs // ROWS) * ROWS, -(-inputs // COLUMNS) * COLUMNS), np.int8)
    padded[:outputs, :inputs] = matrix
    groups = padded.reshape(len(padded) // ROWS, ROWS, -1, COLUMNS)
    return np.ascontiguousarray(groups.transpose(0, 2, 1, 3))


def unpack_int8(packed: NDArray[np.int8], outputs: int, inputs: int) -> NDArray[np.int8]:
    """The inverse of `pack_int8`: [outputs, inputs]."""
    rows = packed.transpose(0, 2, 1, 3).reshape(packed.shape[0] * ROWS, -1)
    return np.ascontiguousarray(rows[:outputs, :inputs])


def pack_int4(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blocks of rows [N, B, 32], two numbers a byte, as [N/16, B, 8, 16, 4], filled with zeros."""
    outputs, blocks, _ = rows.shape
    padded = np.zeros((-(-outputs // ROWS) * ROWS, blocks, BLOCK // 2), np.uint8)
    padded[:outputs] = rows
    groups = padded.reshape(-1, ROWS, blocks, BLOCK // 8, COLUMNS)
    return np.ascontiguousarray(groups.transpose(0, 2, 3, 1, 4))


def pack_columns(rows: NDArray[Any]) -> NDArray[Any]:
    """What belongs to blocks of INT4 weights, [N, B], as [N/16, B, 16], filled with zeros."""
    padded = np.zeros((-(-len(rows) // ROWS) * ROWS, rows.shape[1]), rows.dtype)
    padded[: len(rows)] = rows
    return np.ascontiguousarray(padded.reshape(-1, ROWS, rows.shape[1]).transpose(0, 2, 1))
