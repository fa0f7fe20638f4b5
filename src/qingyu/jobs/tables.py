"""What files of tables have in common: values as JSON can hold them, and libraries that are
optional."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from importlib import import_module
from math import isfinite, isnan
from typing import Any

from .errors import MissingLibraryError, RowError

TAG = "\0type"  # no column is called so


def plain(value: Any) -> Any:
    """A single value as JSON can hold it: dates and times in ISO 8601, what is no number as null
    or text."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return elapsed(value)
    if isinstance(value, float) and not isfinite(value):
        return None if isnan(value) else str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)


def tagged(value: Any) -> Any:
    """A date, time or elapsed time as JSON that `untagged` reads as what it was."""
    if isinstance(value, timedelta):
        return {TAG: ["timedelta", value / timedelta(microseconds=1)]}
    return {TAG: [type(value).__name__, value.isoformat()]}


def untagged(found: dict[str, Any]) -> Any:
    """For `json.loads`, as its `object_hook`."""
    if TAG not in found:
        return found
    kind, told = found[TAG]
    if kind == "timedelta":
        return timedelta(microseconds=told)
    known: dict[str, Any] = {"date": date, "datetime": datetime, "time": time}
    return known[kind].fromisoformat(told)


def elapsed(value: timedelta) -> str:
    """`26:03:04` or `26:03:04.5`, as a spreadsheet shows an elapsed time."""
    micro = round(value / timedelta(microseconds=1))
    seconds, part = divmod(abs(micro), 10**6)
    text = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if part:
        text += f".{part:06}".rstrip("0")
    return f"-{text}" if micro < 0 else text


def too_large(size: int) -> RowError:
    return RowError(f"一行有 {size} 字节，过长。", f"is {size} bytes, too long.")


def library(module: str, what: str, package: str) -> Any:
    """An optional library. Raises MissingLibraryError."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingLibraryError(what, package) from error
