"""`pytorch_model.bin` is read for its tensors; a pickle that wants anything else is refused.

The pickles are written by hand, opcode by opcode, as PyTorch and as an attacker would.
"""

from __future__ import annotations

import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from qingyu.build.pipeline import Options, build
from qingyu.build.sources import torch_file
from qingyu.build.sources.checkpoint import read_checkpoint
from qingyu.errors import CheckpointError

FAST = Options(precision="fp32", measure=False)
TYPES = {"float32": "FloatStorage", "float16": "HalfStorage", "float64": "DoubleStorage",
         "int64": "LongStorage"}  # fmt: skip

Tensors = dict[str, NDArray[np.generic]]


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def tuple_of(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def storage(kind: str, key: str, count: int, *view: bytes) -> bytes:
    parts = (text("storage"), f"ctorch\n{kind}\n".encode(), text(key), text("cpu"), number(count))
    return tuple_of(*parts, *view) + b"Q"


def tensor(key: str, array: NDArray[np.generic], view: tuple[bytes, ...] = ()) -> bytes:
    shape = tuple_of(*map(number, array.shape))
    strides = tuple_of(*(number(step // array.itemsize) for step in array.strides))
    kept = storage(TYPES[array.dtype.name], key, array.size, *view)
    arguments = tuple_of(kept, number(0), shape, strides, b"\x89", b"ccollections\nOrderedDict\n)R")
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def state(tensors: Tensors, extra: bytes = b"", view: tuple[bytes, ...] = ()) -> bytes:
    """A state dict as torch pickles it, with the attribute that BUILD sets on it."""
    items = b"".join(text(name) + tensor(name, array, view) for name, array in tensors.items())
    metadata = b"}" + text("_metadata") + b"}s"
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + extra + b"u" + metadata + b"b."


def raw(array: NDArray[np.generic]) -> bytes:
    return array.tobytes(order="A")


def write_zip(path: Path, pickled: bytes, tensors: Tensors, how: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for name, array in tensors.items():
            archive.writestr(f"archive/data/{name}", raw(array))


def write_legacy(path: Path, tensors: Tensors) -> None:
    none = (b"N",)
    parts = [
        pickle.dumps(torch_file.LEGACY_MAGIC, 2),
        pickle.dumps(torch_file.LEGACY_PROTOCOL, 2),
        pickle.dumps({"protocol_version": 1001, "little_endian": True}, 2),
        state(tensors, view=none),
        pickle.dumps(list(tensors), 2),
    ]
    data = [struct.pack("<q", array.size) + raw(array) for array in tensors.values()]
    path.write_bytes(b"".join(parts + data))


@pytest.fixture
def tensors() -> Tensors:
    """One of each kind, one of them lying transposed."""
    draw = np.random.default_rng(1)
    return {
        "a": draw.standard_normal((3, 4)).astype("f4"),
        "b": draw.standard_normal((4, 3)).astype("f2").T,
        "c": draw.standard_normal(5),
        "ids": np.arange(6),
    }


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_come_out_as_they_went_in(tmp_path: Path, tensors: Tensors, legacy: bool) -> None:
    """Both formats, three float types, and an order of axes that is not C's."""
    path = tmp_path / "pytorch_model.bin"
    if legacy:
        write_legacy(path, tensors)
    else:
        write_zip(path, state(tensors), tensors)
    pieces = torch_file.read_file(path)
    assert list(pieces) == list(tensors)
    for name in ("a", "b", "c"):
        np.testing.assert_array_equal(pieces[name].read(), tensors[name].astype("f4"))
    assert pieces["ids"].dtype == "I64"


def test_a_whole_checkpoint(checkpoint: Callable[[str], Path]) -> None:
    """The same bundle, byte for byte, from pytorch_model.bin as from model.safetensors; what
    lies beside the state dict, such as an optimiser's, is passed over.
    """
    source = checkpoint("bert-masked-lm")
    weights = read_checkpoint(source).weights
    first = build(source, source.parent / "first", FAST)
    found = {name: np.array(weights.get(name, *weights.shape(name))) for name in weights.names}
    inner = state(found)[2:-1]
    pickled = b"\x80\x02}(" + text("state_dict") + inner + text("epoch") + number(3) + b"u."
    write_zip(source / "pytorch_model.bin", pickled, found)
    (source / "model.safetensors").unlink()
    second = build(source, source.parent / "second", FAST)
    assert second.manifest.files == first.manifest.files


def test_shards(tmp_path: Path, tensors: Tensors) -> None:
    """An index joins shards; a shard elsewhere, or one that lacks its tensor, is refused."""
    for name, array in tensors.items():
        write_zip(tmp_path / f"{name}.bin", state({name: array}), {name: array})
    index = tmp_path / torch_file.INDEX
    places = ", ".join(f'"{name}": "{name}.bin"' for name in tensors)
    index.write_text(f'{{"weight_map": {{{places}}}}}')
    assert sorted(torch_file.read_sharded(index)) == sorted(tensors)
    for wrong in ('{"weight_map": {"a": "../a.bin"}}', '{"weight_map": {"x": "a.bin"}}', "[]"):
        index.write_text(wrong)
        with pytest.raises(CheckpointError, match=torch_file.INDEX):
            torch_file.read_sharded(index)


HOSTILE = {
    "os.system": b"\x80\x02cos\nsystem\n" + tuple_of(text("touch hacked")) + b"R.",
    "builtins.eval": b"\x80\x02cbuiltins\neval\n" + tuple_of(text("1")) + b"R.",
    "STACK_GLOBAL": b"\x80\x04" + text("os") + text("system") + b"\x93.",
    "dotted": b"\x80\x04" + text("collections") + text("OrderedDict.__init__") + b"\x93.",
    "torch.load": b"\x80\x02ctorch\nload\n.",
    "INST": b"(ios\nsystem\n.",
    "OBJ": b"(cos\nsystem\no.",
    "NEWOBJ": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
    "EXT1": b"\x80\x02\x82\x01.",
    "PERSID": b"Pwhatever\n.",
    "BYTEARRAY8": b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00a.",
    "BUILD on a global": b"\x80\x02ctorch._utils\n_rebuild_parameter\n}" + text("x") + b"Nsb.",
    "a tensor without a storage": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n"
    + tuple_of(text("x"), number(0), b")", b")") + b"R.",
    "a persistent id of another kind": b"\x80\x02"
    + tuple_of(text("module"), b"ctorch\nFloatStorage\n", text("0"), text(""), number(1)) + b"Q.",
    "no end": b"\x80\x02}",
    "nothing": b"",
    "noise": b"\xff\xfe\xfd" * 10,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_hostile_pickle_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, wrapped: bool
) -> None:
    """Bare or in a zip, whatever is no plain state dict is refused by name, and nothing ran."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pytorch_model.bin"
    if wrapped:
        write_zip(path, HOSTILE[name], {})
    else:
        path.write_bytes(HOSTILE[name])
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
        torch_file.read_file(path)
    assert [file.name for file in tmp_path.iterdir()] == ["pytorch_model.bin"]


def test_every_opcode_outside_the_list_is_refused() -> None:
    """The list is closed: none of the rest can create an object, call or import anything else."""
    outside = {opcode.name for opcode in pickletools.opcodes} - torch_file.OPCODES
    assert {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID"} <= outside


@pytest.mark.parametrize("kept", [0, 10, 200, 500])
def test_a_file_cut_short(tmp_path: Path, tensors: Tensors, kept: int) -> None:
    """Cut anywhere, either format names its file."""
    path = tmp_path / "pytorch_model.bin"
    for write in (lambda: write_zip(path, state(tensors), tensors),
                  lambda: write_legacy(path, tensors)):  # fmt: skip
        write()
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
            torch_file.read_file(path)


def test_data_that_is_not_there(tmp_path: Path, tensors: Tensors) -> None:
    """Storage missing, smaller than its tensor, or compressed: the tensor is named."""
    path = tmp_path / "pytorch_model.bin"
    short = {name: array[:1] for name, array in tensors.items()}
    for kept, how in (({}, 0), (short, 0), (tensors, zipfile.ZIP_DEFLATED)):
        write_zip(path, state({"a": tensors["a"]}), kept, how)
        with pytest.raises(CheckpointError, match="tensor a"):
            torch_file.read_file(path)
