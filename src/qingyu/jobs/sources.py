"""One file to read and how; and what its reader gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .compression import ENDINGS, split
from .errors import FileError
from .rows import BadRow, Position, Row

MAX_ROW_BYTES = 8 << 20
MAX_COLUMNS = 16_384  # as a spreadsheet
MAX_HEADER_BYTES = 1 << 20  # every row may repeat the names
FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".txt": "txt",
    ".text": "txt",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
}
READ_ONLY = frozenset({"json"})  # an array ends where nothing can be added
TABLES = frozenset({"parquet", "xlsx"})  # compressed inside
ENDINGS_OF_FILES = (
    *FORMATS,
    *(f"{one}{more}" for one in FORMATS if FORMATS[one] not in TABLES for more in ENDINGS),
)


@dataclass(frozen=True)
class Source:
    """`encoding` "auto" looks at the beginning; without `header` the columns are #1, #2…

    `header_row` is where the table begins, counted from 1; `sheet` a sheet's name, or its number
    from 1; `quotes` says that TSV has quotes as CSV has them.

    `blank` says that blank lines of TXT are rows, kept as they are.

    `max_expansion` is how many bytes one stored byte may unpack to, beyond the first 64 MB; None
    is any number. `name` is what errors call the file, where that is not its path.
    """

    path: Path
    format: str
    compression: str = ""
    encoding: str = "auto"
    header: bool = True
    header_row: int = 1
    sheet: str = ""
    quotes: bool = False
    blank: bool = False
    max_row_bytes: int = MAX_ROW_BYTES
    max_expansion: int | None = None
    name: str = ""

    @property
    def told(self) -> str:
        return self.name or str(self.path)


class Reader(Protocol):
    """Rows from a position on. `columns` is empty where each row has its own; `position` is the
    place behind the last row given; `read_bytes` how much of the file as stored has been read."""

    columns: list[str]

    def __iter__(self) -> Iterator[Row | BadRow]: ...

    @property
    def position(self) -> Position: ...

    @property
    def read_bytes(self) -> int: ...

    def close(self) -> None: ...


def format_of(path: Path) -> tuple[str, str]:
    """(format, compression) by the name. Raises FileError."""
    ending, compression = split(path)
    if ending == ".xls":
        raise FileError(
            f"{path.name} 是旧格式 .xls；请在表格软件中另存为 .xlsx 或 .csv。",
            f"{path.name} is in the old .xls format; save it as .xlsx or .csv.",
        )
    if ending not in FORMATS:
        known = " ".join(FORMATS)
        raise FileError(
            f"不认识 {path.name} 的格式；可用：{known}，以及 .gz 与 .zst。",
            f"Unknown format of {path.name}; there are: {known}, and .gz or .zst of them.",
        )
    kind = FORMATS[ending]
    if compression and kind in TABLES:
        raise FileError(f"{path.name} 不必再压缩。", f"{path.name} needs no further compression.")
    return kind, compression


def output_format_of(path: Path) -> tuple[str, str]:
    """(format, compression) by the name of what is to be written. Raises FileError."""
    kind, compression = format_of(path)
    if kind in READ_ONLY:
        raise FileError(
            f"{path.name}：JSON 数组只能读，请改写成 {written_as(path.name)}。",
            f"{path.name}: a JSON array is read only; write {written_as(path.name)} instead.",
        )
    return kind, compression


def written_as(name: str) -> str:
    """What a file's answers are called when nothing else is said: the same, but a JSON array's are
    in lines."""
    return re.sub(r"\.json(?=\.|$)", ".jsonl", name, flags=re.IGNORECASE)


def known_ending(wanted: str) -> str:
    """`CSV.gz` or `.csv.gz` -> ".csv.gz": the whole of `wanted` has to be the ending of a format
    that is known, so that a client's word can stand in a file's name. Raises FileError."""
    ending = f".{wanted.lower().removeprefix('.')}"
    if ending not in ENDINGS_OF_FILES:
        known = " ".join(ENDINGS_OF_FILES)
        raise FileError(
            f"不认识这个后缀；可用：{known}。",
            f"This is the ending of no format; there are: {known}.",
        )
    return ending


def header_of(names: list[str]) -> list[str]:
    """The names of the columns, made different. Raises FileError where there are too many."""
    if len(names) > MAX_COLUMNS:
        raise FileError(
            f"有 {len(names)} 列，最多 {MAX_COLUMNS} 列。",
            f"has {len(names)} columns; at most {MAX_COLUMNS} are read.",
        )
    if sum(map(len, names)) > MAX_HEADER_BYTES:
        raise FileError(
            "的表头过长；第一行不是表头时用 --no-header。",
            "has a header that is too long; where row 1 is none, say --no-header.",
        )
    return unlike(names)


def unlike(names: list[str]) -> list[str]:
    """Names made different and never blank, so that a row can be an object."""
    seen: set[str] = set()
    following: dict[str, int] = {}  # of each name, the first number that may be free
    out = []
    for index, name in enumerate(names, 1):
        first = fresh = name.strip() or f"#{index}"
        number = following.get(first, 2)
        while fresh in seen:
            fresh = f"{first} ({number})"
            number += 1
        following[first] = number
        seen.add(fresh)
        out.append(fresh)
    return out
