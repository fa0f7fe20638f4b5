"""Tensors of a checkpoint by name, each read from its place in a file when it is asked for.

Every format a checkpoint comes in (`qingyu.build.sources`) is a list of such places, so reading,
checking and cutting tensors is written here, once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import CheckpointError

ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}

# Names that old checkpoints give to the two parts of a normalisation.
OLD_ENDINGS = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies: `offset` in bytes, `dtype` in safetensors' names, C order.

    `strides`, in elements, only where the order is another.
    """

    path: Path
    offset: int
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None

    @property
    def span(self) -> int:
        """Bytes from its first element to past its last."""
        size = ITEM_BYTES[self.dtype]
        if self.strides is None:
            return math.prod(self.shape) * size
        if 0 in self.shape:
            return 0
        steps = zip(self.shape, self.strides, strict=True)
        return (1 + sum((count - 1) * stride for count, stride in steps)) * size

    def read(self) -> NDArray[np.float32]:
        """float32; a view of the mapped file where the file holds just that."""
        kind = np.dtype(NUMPY[self.dtype])
        flat = np.memmap(self.path, np.uint8, "r", self.offset, (self.span,)).view(kind)
        values: NDArray[np.generic] = (
            flat.reshape(self.shape)
            if self.strides is None
            else (
                np.lib.stride_tricks.as_strided(
                    flat, self.shape, [stride * kind.itemsize for stride in self.strides]
                )
            )
        )
        if self.dtype == "BF16":  # the upper half of a float32
            return (values.astype(np.uint32) << 16).view(np.float32)
        return np.asarray(values, np.float32)


@dataclass(frozen=True)
class Cut:
    """A tensor of which only some indices along some axes are kept; of the name "", nothing is."""

    name: str
    kept: tuple[tuple[int, NDArray[np.int64]], ...] = ()

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        counts = {axis: len(indices) for axis, indices in self.kept}
        return tuple(counts.get(axis, count) for axis, count in enumerate(shape))

    def of(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        for axis, indices in self.kept:
            tensor = np.take(tensor, indices, axis=axis)
        return tensor


class Weights:
    """The tensors of one checkpoint; remembers which were asked for."""

    def __init__(
        self, pieces: Mapping[str, StoredTensor], path: Path, cuts: Mapping[str, Cut] | None = None
    ) -> None:
        """`path`: the file or folder to name where a tensor is missing; `cuts` see `cut`."""
        self.path = path
        self._cuts = cuts or {}
        self._pieces = pieces
        self._used: set[str] = set()

    def cut(self, cuts: Mapping[str, Cut]) -> Weights:
        """The same tensors, of which those named here are cut further, renamed or gone."""
        merged = dict(self._cuts)
        for name, cut in cuts.items():
            before = self._cuts.get(cut.name, Cut(cut.name)) if cut.name else Cut("")
            merged[self._stored(name)] = Cut(before.name, (*before.kept, *cut.kept))
        return Weights(self._pieces, self.path, merged)

    def __contains__(self, name: str) -> bool:
        return self._cut(name).name in self._pieces

    @property
    def names(self) -> list[str]:
        """All tensors, by the names that the checkpoint gives them."""
        gone = {name for name, cut in self._cuts.items() if not cut.name}
        return sorted({*self._pieces, *self._cuts} - gone)

    def shape(self, name: str) -> tuple[int, ...]:
        """Raises CheckpointError where there is no such tensor."""
        return self._cut(name).shape(self._piece(name).shape)

    def get(self, name: str, *shape: int) -> NDArray[np.float32]:
        """The tensor `name` as float32, which must have this shape and only finite numbers."""
        piece, stored = self._piece(name), self.shape(name)
        if stored != shape:
            raise _error(
                piece.path,
                name,
                f"形状应为 {shape}，实为 {stored}",
                f"should have shape {shape}, has {stored}",
            )
        if piece.dtype not in ITEM_BYTES:
            raise _error(
                piece.path,
                name,
                f"类型 {piece.dtype} 不是浮点数",
                f"has dtype {piece.dtype}, no float",
            )
        try:
            tensor = piece.read()
        except (OSError, ValueError) as error:
            raise _error(
                piece.path, name, f"读取失败：{error}", f"cannot be read: {error}"
            ) from error
        if not np.isfinite(tensor).all():
            raise _error(piece.path, name, "含有 NaN 或无穷大", "holds NaN or infinity")
        self._used.add(self._stored(name))
        return self._cut(name).of(tensor)

    def parameters(self) -> int:
        """How many numbers the tensors asked for hold."""
        return sum(math.prod(self.shape(name)) for name in self._used)

    def unused(self) -> list[str]:
        """Names no one asked for, sorted."""
        return sorted(set(self.names) - self._used)

    def _piece(self, name: str) -> StoredTensor:
        if name not in self:
            raise _error(self.path, name, "不存在", "is missing")
        return self._pieces[self._cut(name).name]

    def _cut(self, name: str) -> Cut:
        """How the tensor is cut, which most are not."""
        stored = self._stored(name)
        return self._cuts.get(stored, Cut(stored))

    def _stored(self, name: str) -> str:
        """The name a tensor has in this checkpoint, which may be of the old kind."""
        if name not in self._pieces:
            for ending, old in OLD_ENDINGS.items():
                if name.endswith(ending):
                    return name.removesuffix(ending) + old
        return name


def _error(path: Path, name: str, zh: str, en: str) -> CheckpointError:
    return CheckpointError(f"{path} 中的张量 {name} {zh}。", f"Tensor {name} in {path} {en}.")
