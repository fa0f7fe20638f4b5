"""Arrays of Arrow: how many bytes each value takes, and the values as JSON can hold them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .tables import elapsed, plain

LIST_BYTES = 64  # about what Python takes for a value inside a list
NANOSECONDS = 10**9
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": NANOSECONDS}


def sizes_of(array: Any) -> Any:
    """Bytes of each value, int64 [length], without making any of them. Raises ValueError where
    indices lead nowhere; `values_of` relies on that."""
    kind, types = array.type, pa.types
    if isinstance(array, pa.ExtensionArray):
        return sizes_of(array.storage)
    if types.is_dictionary(kind):
        shown, at = np.unique(_int64(array.indices), return_inverse=True)
        if not len(array.dictionary):
            return np.zeros(len(array), np.int64)
        if shown[0] < 0 or shown[-1] >= len(array.dictionary):  # as it stands in the file
            raise ValueError("an index beyond the dictionary")
        return sizes_of(array.dictionary.take(pa.array(shown)))[at]
    if _is_text(kind):
        return _int64(pc.binary_length(array))
    if types.is_struct(kind):
        fields = [sizes_of(field) for field in array.flatten()]
        return sum(fields, np.zeros(len(array), np.int64)) + LIST_BYTES * len(fields)
    if _is_list(kind):
        starts, inner = _inner(array)
        ends = np.concatenate([[0], np.cumsum(sizes_of(inner) + LIST_BYTES)])
        return ends[starts[1:]] - ends[starts[:-1]]
    try:
        return np.full(len(array), (kind.bit_width + 7) // 8, np.int64)
    except ValueError:  # a layout without a fixed width
        return np.full(len(array), array.nbytes, np.int64)


def values_of(array: Any) -> list[Any]:
    """The values as JSON can hold them: dates and times in ISO 8601, durations as `26:03:04.5`,
    maps as objects, bytes as text where they are UTF-8, else base64. Raises what pyarrow raises."""
    kind, types = array.type, pa.types
    if isinstance(array, pa.ExtensionArray):
        return values_of(array.storage)
    if types.is_dictionary(kind):
        return values_of(array.dictionary.take(array.indices))
    if types.is_struct(kind):
        names = [kind.field(index).name for index in range(kind.num_fields)]
        rows = zip(*map(values_of, array.flatten()), strict=True) if names else [()] * len(array)
        return _known(array, [dict(zip(names, row, strict=True)) for row in rows])
    if _is_list(kind):
        starts, inner = _inner(array)
        flat = values_of(inner)
        lists = [flat[a:b] for a, b in pairwise(starts)]
        return _known(array, list(map(_mapping, lists)) if types.is_map(kind) else lists)
    if types.is_duration(kind):
        return _each(array, lambda count: _duration(count, UNITS[kind.unit]))
    if getattr(kind, "unit", "") == "ns":
        return _nanoseconds(array)
    values = array.to_pylist()
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return [None if one is None else _text(one) for one in values]
    return list(map(plain, values))


def cells_of(array: Any) -> list[Any]:
    """The values of a column: dates, times and durations as they are, where Python has them."""
    kind, types = array.type, pa.types
    timed = types.is_date(kind) or types.is_time(kind) or types.is_duration(kind)
    timed = timed or (types.is_timestamp(kind) and kind.tz is None)
    if timed and getattr(kind, "unit", "") != "ns":
        return list(array.to_pylist())
    return values_of(array)


def _is_text(kind: Any) -> bool:
    types = pa.types
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )


def _is_list(kind: Any) -> bool:
    types = pa.types
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_map(kind)
    )


def _inner(array: Any) -> tuple[Any, Any]:
    """Where each list begins and ends, int64 [length + 1], in the values that are given with it;
    a map is a list of structs of a key and an item."""
    if pa.types.is_map(array.type):
        pairs = pa.StructArray.from_arrays([array.keys, array.items], ["key", "item"])
        offsets = pa.array(array.offsets.to_numpy())  # whose own offset is 0
        array = pa.ListArray.from_arrays(offsets, pairs, mask=pc.is_null(array))
    lengths = _int64(pc.list_value_length(array))
    return np.concatenate([[0], np.cumsum(lengths)]), array.flatten()


def _int64(array: Any) -> Any:
    return pc.fill_null(array, 0).to_numpy(zero_copy_only=False).astype(np.int64)


def _known(array: Any, values: list[Any]) -> list[Any]:
    """`values`, None where the array has none."""
    if not array.null_count:
        return values
    missing = array.is_null().to_pylist()
    return [None if null else value for value, null in zip(values, missing, strict=True)]


def _mapping(pairs: list[Any]) -> Any:
    """An object where the keys are different texts, else the list of pairs."""
    names = [pair["key"] for pair in pairs]
    if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        return {pair["key"]: pair["item"] for pair in pairs}
    return [[pair["key"], pair["item"]] for pair in pairs]


def _each(array: Any, told: Callable[[int], str]) -> list[Any]:
    counts = array.cast(pa.int64()).to_pylist()
    return [None if count is None else told(count) for count in counts]


def _duration(count: int, unit: int) -> str:
    whole, part = divmod(abs(count), unit)
    digits = f"{part * (NANOSECONDS // unit):09}".rstrip("0")
    text = elapsed(timedelta(seconds=whole)) + (f".{digits}" if digits else "")
    return f"-{text}" if count < 0 else text


def _nanoseconds(array: Any) -> list[Any]:
    """Times in nanoseconds: as many digits as they take."""
    kind = array.type
    coarse = pa.time64("us") if pa.types.is_time(kind) else pa.timestamp("us", kind.tz)
    counts = array.cast(pa.int64()).to_pylist()
    floors = [None if count is None else count // 1000 for count in counts]
    times = pa.array(floors, pa.int64()).cast(coarse).to_pylist()
    out: list[Any] = []
    for count, time in zip(counts, times, strict=True):
        text = plain(time)
        if count is not None and count % 1000:
            local = plain(time.replace(tzinfo=None))
            micro = local if "." in local else f"{local}.000000"
            text = f"{micro}{count % 1000:03}{text[len(local) :]}"
        out.append(text)
    return out


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()
