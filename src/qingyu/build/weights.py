"""Tensors of a checkpoint by name, read one at a time from the mapped file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from qingyu.errors import CheckpointError

FLOATS = {"F64", "F32", "F16", "BF16"}


class Weights:
    """The tensors of one safetensors file; remembers which were asked for."""

    def __init__(self, path: Path) -> None:
        """Raises CheckpointError where the file is missing, cut short or not safetensors."""
        self.path = path
        try:
            file: Any = safe_open(path, framework="numpy")
            self._names = frozenset(file.keys())
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"无法读取权重文件 {path}：{error}",
                f"Cannot read the weight file {path}: {error}",
            ) from error
        self._file = file
        self._used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def get(self, name: str, *shape: int) -> NDArray[np.float32]:
        """The tensor `name` as float32, which must have this shape and only finite numbers."""
        if name not in self._names:
            raise self._error(name, "不存在", "is missing")
        part = self._file.get_slice(name)
        found = tuple(part.get_shape())
        if found != shape:
            raise self._error(
                name, f"形状应为 {shape}，实为 {found}", f"should have shape {shape}, has {found}"
            )
        if part.get_dtype() not in FLOATS:
            raise self._error(
                name,
                f"类型 {part.get_dtype()} 不是浮点数",
                f"has dtype {part.get_dtype()}, no float",
            )
        tensor = self._file.get_tensor(name).astype(np.float32, copy=False)
        if not np.isfinite(tensor).all():
            raise self._error(name, "含有 NaN 或无穷大", "holds NaN or infinity")
        self._used.add(name)
        return tensor  # type: ignore[no-any-return]

    def parameters(self) -> int:
        """How many numbers the tensors asked for hold."""
        shapes = (self._file.get_slice(name).get_shape() for name in self._used)
        return sum(int(math.prod(shape)) for shape in shapes)

    def unused(self) -> list[str]:
        """Names no one asked for, sorted."""
        return sorted(self._names - self._used)

    def _error(self, name: str, zh: str, en: str) -> CheckpointError:
        return CheckpointError(
            f"{self.path.name} 中的张量 {name} {zh}。", f"Tensor {name} in {self.path.name} {en}."
        )
