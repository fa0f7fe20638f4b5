"""`pytorch_model.bin` without PyTorch: the pickle inside is read for where its tensors lie.

A pickle is a program. This one may only build dicts, lists, tuples, strings and numbers, and name
the few things below, none of which is imported: each stands for a piece of data. Every other
opcode and every other global is refused, before anything is run.

Formats: the zip of torch >= 1.6 (data.pkl, data/<key>), and the file of five pickles before it.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from qingyu.build.sources.mistaken import refuse_stand_in
from qingyu.build.sources.safetensors import gather
from qingyu.build.sources.weights import ITEM_BYTES, StoredTensor
from qingyu.errors import CheckpointError

SINGLE = "pytorch_model.bin"
INDEX = "pytorch_model.bin.index.json"

LARGEST_PICKLE = 100_000_000
LONGEST_WORD = 64
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001

ALLOWED = """
PROTO FRAME STOP MARK POP_MARK MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET
NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 BINFLOAT FLOAT
BINUNICODE SHORT_BINUNICODE UNICODE STRING BINSTRING SHORT_BINSTRING
EMPTY_DICT DICT SETITEM SETITEMS EMPTY_LIST LIST APPEND APPENDS
EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID
"""
OPCODES = frozenset(ALLOWED.split())
STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}
OTHER_BYTES = {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class Storage:
    """`count` numbers under a key of the file."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class TorchTensor:
    """A view of a storage; all in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class TorchState(dict[Any, Any]):
    """Stands for collections.OrderedDict; what its attributes would be set to is dropped."""

    def __setstate__(self, _state: object) -> None:
        return


class Known:
    """Stands for a global that may be called; it cannot be changed from within the pickle."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[..., object]) -> None:
        self._build = build

    def __call__(self, *arguments: object) -> object:
        return self._build(*arguments)

    def __setstate__(self, _state: object) -> None:
        raise pickle.UnpicklingError("BUILD on a global")


def _tensor(
    storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_rest: object
) -> TorchTensor:
    whole = (offset, *shape, *strides)
    if not isinstance(storage, Storage) or len(shape) != len(strides):
        raise pickle.UnpicklingError("a tensor without a storage of its shape")
    if not all(type(number) is int and 0 <= number < 2**48 for number in whole):
        raise pickle.UnpicklingError("a tensor with an impossible shape")
    return TorchTensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(tensor: object, *_rest: object) -> object:
    return tensor


def _state(*items: Any) -> TorchState:
    return TorchState(*items)


GLOBALS: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): Known(_state),
    ("torch._utils", "_rebuild_tensor"): Known(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): Known(_tensor),
    ("torch._utils", "_rebuild_parameter"): Known(_parameter),
    **{("torch", name): dtype for name, dtype in STORAGES.items()},
}


class TorchUnpickler(pickle.Unpickler):
    """Knows the globals above and no others; collects the storages it is told of."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return GLOBALS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the global {module}.{name} is not allowed") from None

    def persistent_load(self, reference: Any) -> Storage:
        kind, dtype, key, _place, count, *view = reference
        if kind != "storage" or dtype not in STORAGES.values() or any(view):
            raise pickle.UnpicklingError("a persistent id that is no storage")
        if type(count) is not int or not 0 <= count < 2**48:
            raise pickle.UnpicklingError("a storage of an impossible size")
        return Storage(str(key), dtype, count)


def read_file(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file. Raises CheckpointError where it is damaged or asks for more."""
    refuse_stand_in(path)
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                return dict(_read_zip(path, file))
            file.seek(0)
            return dict(_read_legacy(path, file))
    except CheckpointError:
        raise
    except OSError as error:
        raise _error(path, str(error.strerror), str(error.strerror)) from error
    except Exception as error:  # a hostile pickle can raise anything
        raise _error(
            path, f"其中的 pickle 不能接受：{error}", f"its pickle is not acceptable: {error}"
        ) from error


def read_sharded(index: Path) -> dict[str, StoredTensor]:
    """The tensors of all shards that `pytorch_model.bin.index.json` lists."""
    return gather(index, read_file)


def load(file: IO[bytes]) -> Any:
    """One pickle from `file`, both gates shut; `file` stands after it."""
    start = file.tell()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name not in OPCODES:
            raise pickle.UnpicklingError(f"the opcode {opcode.name} is not allowed")
        if opcode.name == "GLOBAL" and tuple(str(argument).split(" ", 1)) not in GLOBALS:
            raise pickle.UnpicklingError(f"the global {argument} is not allowed")
    end = file.tell()
    if end - start > LARGEST_PICKLE:
        raise pickle.UnpicklingError("larger than any list of tensors")
    file.seek(start)
    return TorchUnpickler(io.BytesIO(file.read(end - start)), encoding="utf-8").load()


def _read_zip(path: Path, file: IO[bytes]) -> Iterator[tuple[str, StoredTensor]]:
    with zipfile.ZipFile(file) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        root = next((name for name in entries if name.endswith("/data.pkl")), None)
        if root is None:
            raise _error(path, "其中没有 data.pkl", "it holds no data.pkl")
        stem = root.removesuffix("data.pkl")
        order = f"{stem}byteorder"
        if order in entries and _beginning(archive, order).strip() != b"little":
            raise _error(path, "字节序不是 little", "its byte order is not little")
        if entries[root].file_size > LARGEST_PICKLE:
            raise _error(path, "data.pkl 过大", "its data.pkl is too large")
        tensors = load(io.BytesIO(archive.read(root)))
    for name, tensor in _tensors(tensors):
        info = entries.get(f"{stem}data/{tensor.storage.key}")
        if info is None or info.compress_type != zipfile.ZIP_STORED:
            raise _error(path, f"张量 {name} 的数据缺失", f"the data of tensor {name} is missing")
        file.seek(info.header_offset + 26)  # lengths of the name and the extra field
        lengths = file.read(4)
        skip = int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        yield name, _piece(path, name, tensor, info.header_offset + 30 + skip, info.file_size)


def _beginning(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member that should be a word, however long it unpacks to."""
    with archive.open(name) as member:
        return member.read(LONGEST_WORD)


def _read_legacy(path: Path, file: IO[bytes]) -> Iterator[tuple[str, StoredTensor]]:
    if load(file) != LEGACY_MAGIC or load(file) != LEGACY_PROTOCOL:
        raise _error(path, "不是 PyTorch 的检查点", "it is no PyTorch checkpoint")
    if load(file).get("little_endian") is not True:
        raise _error(path, "字节序不是 little", "its byte order is not little")
    tensors = list(_tensors(load(file)))
    storages = {tensor.storage.key: tensor.storage for _, tensor in tensors}
    places = {}
    for key in load(file):
        count = int.from_bytes(file.read(8), "little")
        if key not in storages:
            raise _error(path, f"未知的存储 {key}", f"it holds an unknown storage {key}")
        places[key] = (file.tell(), count * _item_bytes(storages[key].dtype))
        file.seek(places[key][1], io.SEEK_CUR)
    total = path.stat().st_size
    for name, tensor in tensors:
        start, size = places.get(tensor.storage.key, (0, 0))
        yield name, _piece(path, name, tensor, start, min(size, total - start))


def _tensors(found: Any) -> Iterator[tuple[str, TorchTensor]]:
    """The tensors of a state dict, which may lie under a key of its own beside other things."""
    if isinstance(found, dict):
        for key in ("state_dict", "model"):
            if isinstance(found.get(key), dict):
                found = found[key]
                break
        for name, value in found.items():
            if isinstance(value, TorchTensor):
                yield str(name), value


def _piece(path: Path, name: str, tensor: TorchTensor, start: int, size: int) -> StoredTensor:
    """Where the tensor lies, if it lies within its storage of `size` bytes."""
    item = _item_bytes(tensor.storage.dtype)
    last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if 0 not in tensor.shape and (tensor.offset + last + 1) * item > size:
        raise _error(
            path,
            f"不完整：张量 {name} 超出了它的数据",
            f"it is cut short: the tensor {name} goes past its data",
        )
    row, dense = 1, list[int]()
    for count in reversed(tensor.shape):
        dense.insert(0, row)
        row *= count
    strides = None if tensor.strides == tuple(dense) else tensor.strides
    offset = start + tensor.offset * item
    return StoredTensor(path, offset, tensor.storage.dtype, tensor.shape, strides)


def _item_bytes(dtype: str) -> int:
    return ITEM_BYTES.get(dtype) or OTHER_BYTES[dtype]


def _error(path: Path, zh: str, en: str) -> CheckpointError:
    return CheckpointError(
        f"无法读取权重文件 {path}：{zh}。", f"Cannot read the weight file {path}: {en}."
    )
