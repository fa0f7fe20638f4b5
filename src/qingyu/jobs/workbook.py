"""XLSX (ECMA-376): the rows of a sheet, streamed, whatever its parts say of themselves.

A workbook is a ZIP of XML. Only its list of sheets, its number formats and its shared strings are
held, each part of bounded size; rows, columns and cells are counted while they are read.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from .compression import check_expansion
from .errors import FileError, RowError, short
from .opening import closing_on_error, open_regular, told
from .rows import BadRow, Position, Row
from .sheet import RawRow, SheetRows
from .sources import Source, header_of
from .workbook_parts import Styles, read_relations, read_sheets, read_strings, read_styles

LARGEST_DIRECTORY = 10_000  # parts in the archive
LISTED = 20  # sheets named in an error
LOOKED_AT = 100  # rows, for how many columns there are
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class WorkbookReader:
    """Rows of the first sheet by their numbers there; `line` counts as the spreadsheet does."""

    def __init__(self, source: Source, position: Position | None = None) -> None:
        self._source = source
        self.position = position or Position()
        with told(source):
            self._file = open_regular(source)
        with closing_on_error(self), told(source, DAMAGE):
            self._open(source)

    def _open(self, source: Source) -> None:
        if self._file.read(len(OLD_EXCEL)) == OLD_EXCEL:
            raise FileError(
                "是旧格式 .xls 或加了密码；请在表格软件中另存为 .xlsx。",
                "is in the old .xls format or has a password; save it as .xlsx.",
            )
        self._archive = zipfile.ZipFile(self._file)
        if len(self._archive.infolist()) > LARGEST_DIRECTORY:
            raise FileError("部件过多。", "has too many parts.")
        workbook = self._target("", "officeDocument", "xl/workbook.xml")
        sheets, is_1904 = read_sheets(self._archive, workbook)
        relations = read_relations(self._archive, workbook)
        paths = {one.name: relations.get(one.relation, ("", ""))[1] for one in sheets}
        tables = {name: path for name, path in paths.items() if path and "chartsheets" not in path}
        self._part = self._checked(_chosen(tables, source.sheet))
        strings = self._target(workbook, "sharedStrings", "")
        styles = self._target(workbook, "styles", "")
        self._strings = read_strings(self._archive, strings) if strings else []
        self._styles = read_styles(self._archive, styles) if styles else Styles()
        self._styles.epoch = datetime(1904, 1, 1) if is_1904 else self._styles.epoch
        self._sheet = SheetRows(
            self._archive.open(self._part), self._strings, self._styles, source.max_row_bytes
        )
        self._read_header(source)

    def _read_header(self, source: Source) -> None:
        rows = iter(self._sheet)
        begin = source.header_row
        filled = (row for row in rows if _filled(row.cells) or row.error)
        first = next((row for row in filled if row.number >= begin), None)
        if first is None:
            raise FileError("是空的。", "is empty.")
        if first.error is not None:
            raise FileError(f"的表头{first.error.zh}", f"has a header that {first.error.en}")
        # A table may have columns that its first row leaves without a name.
        seen, size = [first], first.size
        while len(seen) < LOOKED_AT and size < source.max_row_bytes and (row := next(rows, None)):
            seen.append(row)
            size += row.size
        names = [str(cell) if source.header and cell is not None else "" for cell in first.cells]
        names += [""] * (max(_filled(row.cells) for row in seen) - len(names))
        self.columns = header_of(names)
        self._names_size = sum(map(len, self.columns))
        self._rows = chain(seen[1:] if source.header else seen, rows)

    def _target(self, part: str, kind: str, otherwise: str) -> str:
        """The part that `part` relates to as `kind`."""
        for ending, target in read_relations(self._archive, part).values():
            if ending == kind:
                return target
        return otherwise

    def _checked(self, part: str) -> zipfile.ZipInfo:
        try:
            info = self._archive.getinfo(posixpath.normpath(part))
        except KeyError as error:
            raise FileError(f"缺少部件 {part[:100]}。", f"lacks the part {part[:100]}.") from error
        if self._source.max_expansion is not None:
            check_expansion(info.file_size, info.compress_size, self._source.max_expansion)
        return info

    @property
    def read_bytes(self) -> int:
        size = self._source.path.stat().st_size
        return int(min(size, size * self._sheet.read_bytes // max(1, self._part.file_size)))

    def __iter__(self) -> Iterator[Row | BadRow]:
        with told(self._source, DAMAGE):
            for raw in self._rows:
                if raw.number <= self.position.line:
                    continue
                self.position = Position(raw.number)
                if raw.error is not None:
                    yield BadRow(raw.number, raw.error, {}, raw.size)
                elif _filled(raw.cells):
                    yield self._row(raw)

    def _row(self, raw: RawRow) -> Row | BadRow:
        width = len(self.columns)
        if (filled := _filled(raw.cells)) > width:
            error = RowError(
                f"有 {filled} 格，表头有 {width} 格。",
                f"has {filled} cells where the header has {width}.",
            )
            return BadRow(raw.number, error, {}, raw.size)
        cells = [*raw.cells[:width], *[None] * (width - len(raw.cells))]
        size = raw.size + self._names_size
        return Row(raw.number, dict(zip(self.columns, cells, strict=True)), size)

    def close(self) -> None:
        self._file.close()


def _chosen(tables: dict[str, str], wanted: str) -> str:
    """The part of the sheet of that name or, counted from 1, number; the first without either."""
    parts = list(tables.values())
    if wanted in tables:
        return tables[wanted]
    if wanted.isdecimal() and 0 < int(wanted[:9]) <= len(parts):
        return parts[int(wanted) - 1]
    if wanted or not parts:
        names = [short(name) for name in list(tables)[:LISTED]]
        raise FileError(
            f"没有工作表「{short(wanted)}」；有：{'、'.join(names)}。",
            f"has no sheet {short(wanted)!r}; there are: {', '.join(names)}.",
        )
    return parts[0]


def _filled(cells: Sequence[Any]) -> int:
    """How many cells reach to the last that holds something."""
    count = len(cells)
    while count and (cells[count - 1] is None or cells[count - 1] == ""):
        count -= 1
    return count
