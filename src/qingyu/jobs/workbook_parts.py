"""The parts of an XLSX file beside its sheets: relations, list of sheets, strings, formats."""

from __future__ import annotations

import posixpath
import re
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .errors import FileError
from .sources import MAX_ROW_BYTES
from .xml import End, Start, Text, parse

LARGEST_PART = 16 << 20  # bytes of XML
LARGEST_STRINGS = 128 << 20
MAX_STRINGS = 4 << 20
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
# Literal text, escaped characters and colours of a number format say nothing of its kind.
LITERAL = re.compile(r'"[^"]*"|\\.|_.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
BUILT_IN = {
    **dict.fromkeys([14, 15, 16, 17, *range(27, 32), 36, *range(50, 55), 57, 58], "date"),
    **dict.fromkeys([18, 19, 20, 21, 32, 33, 34, 35, 45, 47, 55, 56], "time"),
    22: "datetime",
    46: "elapsed",
}


@dataclass(frozen=True)
class SheetName:
    name: str
    relation: str


@dataclass
class Styles:
    """`kinds`: of each cell style "", "date", "time", "datetime" or "elapsed"."""

    kinds: list[str] = field(default_factory=list)
    epoch: datetime = datetime(1899, 12, 30)


def unescaped(text: str) -> str:
    """`_x000D_` is how a workbook writes characters that XML cannot hold."""
    return ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def read_relations(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """By id: the last word of the type, and the part it leads to. `part` "" is the archive."""
    folder, name = posixpath.split(part)
    path = posixpath.join(folder, "_rels", f"{name}.rels")
    relations: dict[str, tuple[str, str]] = {}

    def start(tag: str, given: dict[str, str]) -> None:
        if tag == "Relationship" and given.get("TargetMode") != "External":
            target = given.get("Target", "")
            whole = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            relations[given.get("Id", "")] = (given.get("Type", "").rpartition("/")[2], whole)

    if path in archive.NameToInfo:
        _walk(archive, path, LARGEST_PART, start)
    return relations


def read_sheets(archive: zipfile.ZipFile, part: str) -> tuple[list[SheetName], bool]:
    """The sheets in their order, and whether dates are counted from 1904."""
    sheets: list[SheetName] = []
    is_1904 = False

    def start(tag: str, given: dict[str, str]) -> None:
        nonlocal is_1904
        if tag == "sheet":
            relation = next((v for k, v in given.items() if k.endswith("}id")), "")
            sheets.append(SheetName(given.get("name", ""), relation))
        elif tag == "workbookPr":
            is_1904 = given.get("date1904", "") in {"1", "true"}

    _walk(archive, part, LARGEST_PART, start)
    return sheets, is_1904


def read_styles(archive: zipfile.ZipFile, part: str) -> Styles:
    codes: dict[str, str] = {}
    used: list[str] = []
    inside = False

    def start(tag: str, given: dict[str, str]) -> None:
        nonlocal inside
        if tag == "numFmt":
            codes[given.get("numFmtId", "")] = given.get("formatCode", "")
        elif tag == "cellXfs":
            inside = True
        elif tag == "xf" and inside:
            used.append(given.get("numFmtId", "0"))

    def end(tag: str) -> None:
        nonlocal inside
        if tag == "cellXfs":
            inside = False

    _walk(archive, part, LARGEST_PART, start, end)
    known = {number: _kind(code) for number, code in codes.items()}
    return Styles([known.get(one, _built_in(one)) for one in used])


def _built_in(number: str) -> str:
    return BUILT_IN.get(int(number), "") if number.isdecimal() and len(number) < 4 else ""


def _kind(code: str) -> str:
    """What a number format shows."""
    bare = LITERAL.sub("", code[:1000]).partition(";")[0].lower()
    if "[" in bare:
        return "elapsed"
    has_time = "h" in bare or "s" in bare
    has_date = "y" in bare or "d" in bare or ("m" in bare and not has_time)
    if "general" in bare:
        return ""
    return ("datetime" if has_time else "date") if has_date else ("time" if has_time else "")


def read_strings(archive: zipfile.ZipFile, part: str) -> list[str | None]:
    """The shared strings; None for one that is longer than any row may be."""
    strings: list[str | None] = []
    pieces: list[str] = []
    size = phonetic = 0
    taking = False

    def start(tag: str, _given: dict[str, str]) -> None:
        nonlocal taking, phonetic, size
        if tag == "si":
            pieces.clear()
            size = 0
        elif tag == "rPh":  # how to read it aloud
            phonetic += 1
        elif tag == "t":
            taking = not phonetic

    def end(tag: str) -> None:
        nonlocal taking, phonetic
        if tag == "t":
            taking = False
        elif tag == "rPh":
            phonetic -= 1
        elif tag == "si":
            if len(strings) >= MAX_STRINGS:
                raise FileError("的共用文字过多。", "has too many shared strings.")
            strings.append(unescaped("".join(pieces)) if size <= MAX_ROW_BYTES else None)
            pieces.clear()

    def text(data: str) -> None:
        nonlocal size
        if taking:
            size += len(data)
            if size <= MAX_ROW_BYTES:
                pieces.append(data)
            else:
                pieces.clear()

    _walk(archive, part, LARGEST_STRINGS, start, end, text)
    return strings


def _walk(
    archive: zipfile.ZipFile,
    part: str,
    largest: int,
    start: Start,
    end: End = lambda _: None,
    text: Text = lambda _: None,
) -> None:
    try:
        info: Any = archive.getinfo(part)
    except KeyError as error:
        raise FileError(f"缺少部件 {part[:100]}。", f"lacks the part {part[:100]}.") from error
    if info.file_size > largest:
        raise FileError(
            f"的部件 {part[:100]} 展开后有 {info.file_size} 字节，过大。",
            f"has a part {part[:100]} of {info.file_size} bytes, too large.",
        )
    with archive.open(info) as stream:
        for _ in parse(stream, start, end, text):  # type: ignore[arg-type]
            pass
