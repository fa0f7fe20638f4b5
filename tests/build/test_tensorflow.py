"""TensorFlow checkpoints are read without it; the files are written here by hand."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from qingyu.build.pipeline import Options, build
from qingyu.build.sources import tensorflow
from qingyu.build.sources.checkpoint import read_checkpoint
from qingyu.errors import CheckpointError

FAST = Options(precision="fp32", measure=False)
Tensors = dict[str, NDArray[np.float32]]


def number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(tag: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return number(tag << 3) + number(value)
    return number(tag << 3 | 2) + number(len(value)) + value


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Entries that share what they can with the one before, and one restart."""
    out, last = b"", b""
    for key, value in entries:
        shared = next(
            (i for i, (a, b) in enumerate(zip(key, last, strict=False)) if a != b),
            min(len(key), len(last)),
        )
        out += (
            number(shared) + number(len(key) - shared) + number(len(value)) + key[shared:] + value
        )
        last = key
    return out + struct.pack("<II", 0, 1)


def write(index: Path, tensors: Tensors, compression: int = 0) -> None:
    """`index` and its one shard, as tf.train.Saver leaves them."""
    data, entries = b"", [(b"", field(1, 1))]
    for name, array in sorted(tensors.items()):
        shape = b"".join(field(2, field(1, size)) for size in array.shape)
        entry = field(1, 1) + field(2, shape) + field(4, len(data)) + field(5, array.nbytes)
        entries.append((name.encode(), entry))
        data += array.astype("<f4").tobytes()
    index.with_name(index.name.removesuffix(".index") + ".data-00000-of-00001").write_bytes(data)
    table, handles = b"", []
    for part in (entries[:5], entries[5:]):
        if part:
            made = block(part)
            handles.append((part[-1][0] + b"\xff", number(len(table)) + number(len(made))))
            table += made + bytes([compression]) + b"\0" * 4
    top = block(handles)
    footer = number(0) + number(0) + number(len(table)) + number(len(top))
    table += top + b"\0" * 5 + footer.ljust(40, b"\0") + tensorflow.MAGIC
    index.write_bytes(table)


def googles(name: str, array: NDArray[np.float32]) -> tuple[str, NDArray[np.float32]]:
    """A tensor as Google's BERT names it and lays it."""
    whole = {new: old for old, new in tensorflow.WHOLE.items()}
    if name in whole:
        return whole[name], array
    path = name.replace("layer.", "layer_").replace(".", "/")
    if "LayerNorm" in path:
        return path.replace("/weight", "/gamma").replace("/bias", "/beta"), array
    if "_embeddings/weight" in path:
        return path.removesuffix("/weight"), array
    if path.endswith("/weight"):
        return path.removesuffix("weight") + "kernel", np.ascontiguousarray(array.T)
    return path, array


def as_googles(source: Path) -> Tensors:
    weights = read_checkpoint(source).weights
    return dict(
        googles(name, np.array(weights.get(name, *weights.shape(name)))) for name in weights.names
    )


@pytest.mark.parametrize("saved_model", [False, True])
def test_the_same_bundle(checkpoint: Callable[[str], Path], saved_model: bool) -> None:
    """Turned matrices, other names, an optimiser's variables and bert_config.json beside them:
    byte for byte the bundle that the safetensors give. So are the variables of a SavedModel.
    """
    source = checkpoint("bert-masked-lm")
    first = build(source, source.parent / "first", FAST)
    tensors = as_googles(source)
    tensors["bert/pooler/dense/kernel/adam_m"] = np.zeros((32, 32), np.float32)
    tensors["global_step"] = np.zeros((), np.float32)
    (source / "model.safetensors").unlink()
    (source / "config.json").rename(source / "bert_config.json")
    folder = source / "variables" if saved_model else source
    folder.mkdir(exist_ok=True)
    write(folder / "bert_model.ckpt.index", tensors)
    second = build(source, source.parent / "second", FAST)
    assert second.manifest.files == first.manifest.files
    assert second.unused == first.unused


def test_a_classifier_of_googles(checkpoint: Callable[[str], Path]) -> None:
    """run_classifier.py calls its head output_weights and output_bias."""
    source = checkpoint("bert-nli")
    first = build(source, source.parent / "first", FAST)
    write(source / "model.ckpt-5.index", as_googles(source))
    (source / "model.safetensors").unlink()
    second = build(source / "model.ckpt-5.index", source.parent / "second", FAST)
    assert second.manifest.files == first.manifest.files


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """Cut short anywhere, compressed, without its shard, or Keras's: one clear error."""
    index = tmp_path / "model.index"
    tensors = {f"bert/x{i}/kernel": np.ones((3, 2), np.float32) for i in range(9)}
    write(index, tensors)
    assert len(tensorflow.read_checkpoint(index)) == 9
    whole = index.read_bytes()
    for kept in (0, 30, 60, len(whole) - 1):
        index.write_bytes(whole[:kept])
        with pytest.raises(CheckpointError, match=r"model\.index"):
            tensorflow.read_checkpoint(index)
    index.write_bytes(b"\xff" * 100 + whole[-48:])
    with pytest.raises(CheckpointError, match=r"model\.index"):
        tensorflow.read_checkpoint(index)
    write(index, tensors, compression=1)
    with pytest.raises(CheckpointError, match="compressed"):
        tensorflow.read_checkpoint(index)
    write(index, {"layer/.ATTRIBUTES/VARIABLE_VALUE": np.ones(2, np.float32)})
    with pytest.raises(CheckpointError, match="Keras"):
        tensorflow.read_checkpoint(index)
    write(index, tensors)
    shard = tmp_path / "model.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="cut short"):
        tensorflow.read_checkpoint(index)
