"""A checkpoint on disk: settings, tensors and tokenizer files, in whatever format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qingyu.build.sources import safetensors, tensorflow, torch_file
from qingyu.build.sources.config import Config
from qingyu.build.sources.weights import Piece, Weights
from qingyu.errors import CheckpointError

# Names looked for in a folder, the safer formats first.
READERS: dict[str, Callable[[Path], dict[str, Piece]]] = {
    safetensors.SINGLE: safetensors.read_file,
    safetensors.INDEX: safetensors.read_sharded,
    torch_file.SINGLE: torch_file.read_file,
    torch_file.INDEX: torch_file.read_sharded,
}


@dataclass(frozen=True)
class Checkpoint:
    """What a family is built from; `folder` holds config.json and the tokenizer's files.

    words: ids that are left of the tokenizer's, rising, where pruning has left some out
    """

    folder: Path
    config: Config
    weights: Weights
    name: str
    words: NDArray[np.int64] | None = None


def read_checkpoint(source: Path) -> Checkpoint:
    """Open a folder, or one weight file with the other files beside it.

    Raises CheckpointError where something is missing, damaged or of no known format.
    """
    folder = source.parent if source.is_file() else source
    config = _read_config(folder)
    path = source if source.is_file() else _weight_file(folder)
    return Checkpoint(folder, config, Weights(_read(path), path), folder.resolve().name)


def _read_config(folder: Path) -> Config:
    """config.json, or Google's bert_config.json, which says no model_type."""
    google = folder / "bert_config.json"
    if google.is_file() and not (folder / "config.json").exists():
        return Config.read(google).changed(model_type="bert")
    return Config.read(folder / "config.json")


def _weight_file(folder: Path) -> Path:
    for name in READERS:
        if (folder / name).exists():
            return folder / name
    for place in (folder, folder / "variables"):  # of a SavedModel
        found = sorted(place.glob(f"*{tensorflow.SUFFIX}"))
        if found:
            return found[-1]
    raise CheckpointError(
        f"{folder} 中没有权重文件（{'、'.join(READERS)}）。",
        f"{folder} holds no weight file ({', '.join(READERS)}).",
    )


def _read(path: Path) -> dict[str, Piece]:
    if path.name.endswith(".safetensors"):
        return safetensors.read_file(path)
    if path.suffix in (".bin", ".pt", ".pth"):
        return torch_file.read_file(path)
    if path.suffix == tensorflow.SUFFIX:
        return tensorflow.read_checkpoint(path)
    if path.name in READERS:
        return READERS[path.name](path)
    raise CheckpointError(
        f"不认识权重文件 {path} 的格式。", f"The weight file {path} is of no known format."
    )
