"""Parquet (pyarrow): rows by number. How many rows are decoded at once follows from their bytes.

Strings stay in their dictionaries until they become a row: a string that a file holds once and
repeats a thousand times is held once. Rows over the limit never become Python's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .errors import RowError
from .opening import closing_on_error, open_regular, told
from .rows import CELL_BYTES, BadRow, Position, Row
from .sources import Source, header_of
from .tables import library, too_large

ROWS_AT_ONCE = 256
BYTES_AT_ONCE = 4 << 20
STREAM_BYTES = 1 << 16
LARGEST_METADATA = 16 << 20  # of one string; its lists have as many entries as a tenth of it


class ParquetReader:
    def __init__(self, source: Source, position: Position | None = None) -> None:
        self._source = source
        self.position = position or Position()
        self._arrow = library("pyarrow", "Parquet", "pyarrow")
        parquet = library("pyarrow.parquet", "Parquet", "pyarrow")
        bounds = {
            "thrift_string_size_limit": LARGEST_METADATA,
            "thrift_container_size_limit": LARGEST_METADATA // 10,
            "buffer_size": STREAM_BYTES,
            "pre_buffer": False,
        }
        with self._told():
            self._stream = open_regular(source)
        with closing_on_error(self), self._told():
            table = parquet.ParquetFile(self._stream, **bounds)
            strings, self._fixed = _strings(table.schema)
            self._table = parquet.ParquetFile(self._stream, read_dictionary=strings, **bounds)
            self.columns = header_of([str(name) for name in self._table.schema_arrow.names])
        self._names_size = sum(map(len, self.columns))

    def _told(self) -> Any:
        # Its errors have no one class of their own; some are OSError, KeyError or ValueError.
        lib = self._arrow.lib
        damage = (lib.ArrowException, ValueError, KeyError, OverflowError, RecursionError)
        return told(self._source, damage)

    @property
    def read_bytes(self) -> int:
        size = self._source.path.stat().st_size
        total = max(1, self._table.metadata.num_rows)
        return int(min(size, size * self.position.line // total))

    def close(self) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[Row | BadRow]:
        with self._told():
            begin, metadata = 0, self._table.metadata
            for index in range(metadata.num_row_groups):
                group = metadata.row_group(index)
                skipped = min(group.num_rows, max(0, self.position.line - begin))
                begin += group.num_rows
                if skipped < group.num_rows or not group.num_rows:
                    yield from self._of_group(index, skipped)

    def _of_group(self, index: int, skipped: int) -> Iterator[Row | BadRow]:
        group = self._table.metadata.row_group(index)
        each = max(1, group.total_byte_size // max(1, group.num_rows), self._fixed)
        at_once = max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // each))
        for batch in self._table.iter_batches(at_once, row_groups=[index], use_threads=False):
            unread = batch.slice(skipped)
            skipped -= len(batch) - len(unread)
            if len(unread):
                yield from self._of_batch(unread)

    def _of_batch(self, batch: Any) -> Iterator[Row | BadRow]:
        from .arrow import sizes_of

        sizes = sum(sizes_of(batch.column(i)) for i in range(batch.num_columns))
        start = 0
        while start < len(batch):
            end, total = start + 1, int(sizes[start])
            while end < len(batch) and total + int(sizes[end]) <= BYTES_AT_ONCE:
                total += int(sizes[end])
                end += 1
            if total > self._source.max_row_bytes:
                yield self._refused(too_large(total), total=0)
            else:
                yield from self._of_slice(batch.slice(start, end - start), sizes[start:end])
            start = end

    def _of_slice(self, part: Any, sizes: Any) -> Iterator[Row | BadRow]:
        from .arrow import cells_of

        try:
            columns = [cells_of(part.column(i)) for i in range(part.num_columns)]
        except (ValueError, OverflowError, RecursionError, self._arrow.lib.ArrowException) as error:
            if len(part) == 1:
                yield self._refused(_unreadable(error), total=0)
                return
            for at in range(len(part)):  # one of them; the others can be read
                yield from self._of_slice(part.slice(at, 1), sizes[at : at + 1])
            return
        for at, values in enumerate(zip(*columns, strict=True)):
            self.position = Position(self.position.line + 1)
            if all(value is None or value == "" for value in values):
                continue
            size = int(sizes[at]) + self._names_size + CELL_BYTES * len(values)
            yield Row(self.position.line, dict(zip(self.columns, values, strict=True)), size)

    def _refused(self, error: RowError, total: int) -> BadRow:
        self.position = Position(self.position.line + 1)
        return BadRow(self.position.line, error, {}, total)


def _unreadable(error: Exception) -> RowError:
    why = str(error).partition("\n")[0][:200]
    return RowError(f"有无法读取的值：{why}", f"holds a value that cannot be read: {why}")


def _strings(schema: Any) -> tuple[list[str], int]:
    """The paths of the columns whose values have any length, and the bytes of a row's others."""
    leaves = [schema.column(index) for index in range(len(schema))]
    strings = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    fixed = [leaf.length for leaf in leaves if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY"]
    return strings, sum(fixed)
