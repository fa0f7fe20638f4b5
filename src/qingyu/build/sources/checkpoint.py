"""A checkpoint on disk: settings, tensors and tokenizer files, in whatever format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qingyu.build.notes import Note
from qingyu.build.sources import safetensors, tensorflow, torch_file
from qingyu.build.sources.config import Config
from qingyu.build.sources.identity import identified
from qingyu.build.sources.modelscope import with_labels
from qingyu.build.sources.naming import unwrapped
from qingyu.build.sources.sentence_transformers import embedding_info
from qingyu.build.sources.weights import StoredTensor, Weights
from qingyu.bundle import EmbeddingInfo
from qingyu.errors import CheckpointError

# Names looked for in a folder, the safer formats first.
READERS: dict[str, Callable[[Path], dict[str, StoredTensor]]] = {
    safetensors.SINGLE: safetensors.read_file,
    safetensors.INDEX: safetensors.read_sharded,
    torch_file.SINGLE: torch_file.read_file,
    torch_file.INDEX: torch_file.read_sharded,
}


READABLE = frozenset({".safetensors", ".bin", ".pt", ".pth"})
NOT_WEIGHTS = frozenset({"training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"})
FOREIGN = frozenset({".h5", ".msgpack", ".ckpt", ".pdparams", ".gguf", ".npz"})


@dataclass(frozen=True)
class Checkpoint:
    """What a family is built from; `folder` holds config.json and the tokenizer's files.

    words: ids that are left of the tokenizer's, rising, where pruning has left some out
    notes: what was concluded of the files, to be told
    embedding: how a vector of a text is made
    """

    folder: Path
    config: Config
    weights: Weights
    name: str
    words: NDArray[np.int64] | None = None
    notes: tuple[Note, ...] = ()
    embedding: EmbeddingInfo = field(default_factory=EmbeddingInfo)


def read_checkpoint(source: Path) -> Checkpoint:
    """Open a folder, or one weight file with the other files beside it.

    Raises CheckpointError where something is missing, damaged or of no known format.
    """
    folder = source.parent if source.is_file() else source
    config = _read_config(folder)
    path = source if source.is_file() else _weight_file(folder)
    pieces, wrapper = unwrapped(_read(path), path)
    config, notes = identified(config, pieces)
    config, named = with_labels(config)
    if wrapper:
        notes.append(
            Note(
                f"张量名称前的 {wrapper} 已去掉（训练程序加上的）。",
                f"{wrapper} was taken off the tensors' names, where training code put it.",
            )
        )
    embedding, told = embedding_info(folder)
    return Checkpoint(
        folder,
        config,
        Weights(pieces, path),
        folder.resolve().name,
        notes=(*notes, *named, *told),
        embedding=embedding,
    )


def labelled(checkpoint: Checkpoint, labels: Sequence[str]) -> Checkpoint:
    """The same checkpoint with other names for its labels, in the order of its logits.

    Raises CheckpointError where two are the same or one is blank; where their number is not the
    head's, reading the head does.
    """
    if len(set(labels)) < len(labels) or not all(label.strip() for label in labels):
        raise CheckpointError(
            f"标签应各不相同、不为空：{', '.join(labels)}",
            f"Labels should differ and not be blank: {', '.join(labels)}",
        )
    names = {str(index): label.strip() for index, label in enumerate(labels)}
    return replace(checkpoint, config=checkpoint.config.changed(id2label=names))


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
        indexes = sorted(place.glob(f"*{tensorflow.SUFFIX}"))
        if indexes:
            return indexes[-1]
    raise _no_weights(folder)


def _no_weights(folder: Path) -> CheckpointError:
    """What is there instead, and what to do with it."""
    known = "、".join(READERS)
    others = sorted(
        path.name
        for path in _files(folder)
        if path.suffix in READABLE and path.name not in NOT_WEIGHTS
    )
    if others:
        return CheckpointError(
            f"{folder} 中没有 {known}，但有 {'、'.join(others)}。若它就是权重，请指明文件："
            f"qingyu build {folder / others[0]}",
            f"{folder} has none of {', '.join(READERS)}, but it has {', '.join(others)}. If that "
            f"holds the weights, name it: qingyu build {folder / others[0]}",
        )
    foreign = sorted(path.name for path in _files(folder) if path.suffix in FOREIGN)
    if foreign:
        return CheckpointError(
            f"{folder} 中只有 {foreign[0]}，这里读不了它的格式。请用 transformers 4 转换："
            f"AutoModel….from_pretrained({str(folder)!r}, from_tf=True).save_pretrained(…)，"
            "或下载该模型的 safetensors 版本。",
            f"{folder} has only {foreign[0]}, a format that is not read here. Convert it with "
            f"transformers 4: AutoModel….from_pretrained({str(folder)!r}, from_tf=True)"
            ".save_pretrained(…), or download the model's safetensors.",
        )
    return CheckpointError(
        f"{folder} 中没有权重文件（{known}）。",
        f"{folder} holds no weight file ({', '.join(READERS)}).",
    )


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _read(path: Path) -> dict[str, StoredTensor]:
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
