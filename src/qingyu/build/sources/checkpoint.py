"""A checkpoint on disk: settings, tensors and tokenizer files, in whatever format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qingyu.build.config import Config
from qingyu.build.sources import safetensors
from qingyu.build.weights import Piece, Weights
from qingyu.errors import CheckpointError


@dataclass(frozen=True)
class Checkpoint:
    """What a family is built from; `folder` holds config.json and the tokenizer's files."""

    folder: Path
    config: Config
    weights: Weights
    name: str


def read_checkpoint(source: Path) -> Checkpoint:
    """Open a folder, or one weight file with the other files beside it.

    Raises CheckpointError where something is missing, damaged or of no known format.
    """
    folder = source if source.is_dir() else source.parent
    config = Config.read(folder / "config.json")
    path = source if source.is_file() else _weight_file(folder)
    return Checkpoint(folder, config, Weights(_read(path), path), folder.resolve().name)


def _weight_file(folder: Path) -> Path:
    for name in (safetensors.SINGLE, safetensors.INDEX):
        if (folder / name).exists():
            return folder / name
    raise CheckpointError(
        f"{folder} 中没有权重文件（{safetensors.SINGLE}）。",
        f"{folder} holds no weight file ({safetensors.SINGLE}).",
    )


def _read(path: Path) -> dict[str, Piece]:
    if path.name.endswith(".safetensors.index.json"):
        return safetensors.read_sharded(path)
    return safetensors.read_file(path)
