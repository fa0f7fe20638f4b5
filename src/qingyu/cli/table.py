"""Rows of a file with all their columns, for commands that learn or index them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qingyu.cli import console
from qingyu.errors import InputError


def read_table(path: Path, needed: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a CSV, TSV, XLSX, JSONL, TXT or Parquet file that have something in each of the
    `needed` columns; those that have not are told and left out.

    Raises InputError for a file or a column that is not there, and what reading a file raises.
    """
    from qingyu.jobs.readers import open_reader
    from qingyu.jobs.rows import BadRow
    from qingyu.jobs.sources import Source, format_of

    if not path.is_file():
        raise InputError(f"没有文件 {path}。", f"There is no file {path}.")
    reader = open_reader(Source(path, *format_of(path)))
    rows, left = [], []
    try:
        for column in needed:
            if reader.columns and column not in reader.columns:
                there = "、".join(reader.columns)
                raise InputError(
                    f"{path} 没有「{column}」列；有：{there}。",
                    f"{path} has no column {column}; there are: {there}.",
                )
        for row in reader:
            cells = {} if isinstance(row, BadRow) else row.cells
            if all(str(cells.get(column) or "").strip() for column in needed):
                rows.append(cells)
            else:
                left.append(row.line)
    finally:
        reader.close()
    if left:
        console.note(
            f"略过 {len(left)} 行（缺 {'、'.join(needed)}），首先是第 {left[0]} 行",
            f"{len(left)} rows left out that lack {', '.join(needed)}, the first is {left[0]}",
        )
    if not rows:
        raise InputError(f"{path} 中没有可用的行。", f"{path} has no row to use.")
    return rows
