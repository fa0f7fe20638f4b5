"""Rows between reader and writer: readable, unreadable, and their positions in a file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, TypeAlias

from qingyu.errors import InputError

Cells: TypeAlias = dict[str, Any]
RAW_BYTES = 64 << 10  # of a bad row that are written down
CELL_BYTES = 64  # about what Python takes for a value beside its characters


@dataclass(frozen=True)
class Position:
    """A place between two rows: how many lines (rows, where there are no lines) and bytes of the
    uncompressed file lie before it."""

    line: int = 0
    byte: int = 0


@dataclass(frozen=True)
class Row:
    """`line` is where it begins, from 1; `size` what it is charged: its bytes as stored, and
    `CELL_BYTES` for each of its values."""

    line: int
    cells: Cells
    size: int = 0


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read, with what is needed to find or restore it."""

    line: int
    error: InputError
    raw: Cells
    size: int = 0


def raw_or_place(data: bytes, start: int, length: int) -> Cells:
    """A row's bytes as JSON can hold them: text where they are UTF-8, else base64; of a long row
    only where it stands in the input."""
    if not data or len(data) > RAW_BYTES:
        return {"bytes": [start, start + length]}
    try:
        return {"raw": data.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(data).decode()}
