"""What people hand over as texts: one, or many in whatever holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qingyu.errors import InputError


def texts_of(given: Any, name: str = "text") -> list[str]:
    """The texts in a list, a tuple, an array, a column of a data frame or an iterator.

    Each is checked where it is read, so that one bad text is told by the task. Raises InputError
    for what holds no texts: None, bytes, a mapping, a number.
    """
    if hasattr(given, "tolist"):  # NumPy, pandas, polars, PyArrow
        given = given.tolist()
    if isinstance(given, str):  # a NumPy scalar
        return [given]
    if isinstance(given, bytes | bytearray | Mapping) or not isinstance(given, Iterable):
        kind = type(given).__name__
        hint_zh = "，请先用 .decode() 转成字符串" if isinstance(given, bytes | bytearray) else ""
        hint_en = "; decode it first" if isinstance(given, bytes | bytearray) else ""
        raise InputError(
            f"{name} 应是字符串或字符串的列表，收到 {kind}{hint_zh}。",
            f"{name} should be a string or a list of strings, not {kind}{hint_en}.",
        )
    return list(given)
