"""What passes between reading and writing: rows, rows that cannot be read, and places in a file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, TypeAlias

from qingyu.errors import InputError

Cells: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Position:
    """A place between two rows: how many lines (rows, where there are no lines) and bytes of the
    uncompressed file lie before it."""

    line: int = 0
    byte: int = 0


@dataclass(frozen=True)
class Row:
    """`line` is where it begins, from 1."""

    line: int
    cells: Cells


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read, with what is needed to find or restore it."""

    line: int
    error: InputError
    raw: Cells


def raw_bytes(data: bytes) -> Cells:
    """Bytes as JSON can hold them: text where they are UTF-8, else base64."""
    try:
        return {"raw": data.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(data).decode()}
