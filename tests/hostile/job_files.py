"""Files of a few kilobytes that would keep whoever reads them busy, each with its name."""

from __future__ import annotations

import gzip
import io
import zipfile

RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
HEAD, END = b"<worksheet><sheetData>", b"</sheetData></worksheet>"
MEGABYTE = b"x" * (1 << 20)


def workbook(sheet: list[bytes], strings: list[bytes] | None = None) -> bytes:
    """A workbook of one sheet; parts are written piece by piece, so they may be large."""
    relation = f'<Relationship Id="{{}}" Type="{RELATIONS}/{{}}" Target="{{}}"/>'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">'
            '<sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            "<Relationships>"
            + relation.format("r1", "worksheet", "worksheets/sheet1.xml")
            + relation.format("r2", "sharedStrings", "sharedStrings.xml")
            + "</Relationships>",
        )
        parts = {"worksheets/sheet1": sheet, "sharedStrings": strings or [b"<sst/>"]}
        for name, pieces in parts.items():
            with archive.open(f"xl/{name}.xml", "w") as part:
                for piece in pieces:
                    part.write(piece)
    return file.getvalue()


def cells(*values: str) -> bytes:
    inline = "".join(f'<c t="inlineStr"><is><t>{value}</t></is></c>' for value in values)
    return f"<row>{inline}</row>".encode()


def repeated(line: bytes, megabytes: int) -> bytes:
    """gzip of a line again and again."""
    file = io.BytesIO()
    piece = line * ((1 << 20) // len(line))
    with gzip.open(file, "wb", 6) as out:
        for _ in range(megabytes):
            out.write(piece)
    return file.getvalue()


def only_read() -> dict[str, bytes]:
    """Files with nothing to answer: rows that are bad, lines that do not end, names that are
    equal."""
    return {
        "rows.jsonl.gz": repeated(b"[1]\n", 40),
        "blank.csv.gz": gzip.compress(b"text,n\n") + repeated(b"\n", 60),
        "line.txt.gz": repeated(b"x", 300),
        "names.csv": b",".join([b"a"] * 150_000) + b"\n",
        "deep.jsonl.gz": repeated(b'{"text": ' + b"[" * 5000 + b"]" * 5000 + b"}\n", 20),
        "row.xlsx": workbook([HEAD, b'<row r="99999999999"><c><v>1</v></c></row>', END]),
        "strings.xlsx": workbook([HEAD, cells("a"), END], [b"<sst><si><t>", *[MEGABYTE] * 60]),
    }
