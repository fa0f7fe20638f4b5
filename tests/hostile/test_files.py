"""Files of a few kilobytes that ask for gigabytes or for ever: each is one error, or bad rows."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from qingyu.jobs.errors import FileError
from qingyu.jobs.readers import open_reader
from qingyu.jobs.sources import MAX_COLUMNS, Source, unlike
from tests.support.jobs import done

from .child import all_worked, worked
from .job_files import END, HEAD, MEGABYTE, cells, workbook

PEAK = 400 << 20
HEADED = HEAD + cells("text")


def write(path: Path, sheet: list[bytes], strings: list[bytes] | None = None) -> None:
    path.write_bytes(workbook(sheet, strings))


def test_parquet_that_repeats(tmp_path: Path) -> None:
    """A string of 9 MB a thousand times: its rows are bad, and 9 GB are never held. Nulls take no
    bytes at all: a million of them are passed over."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    text = arrow.DictionaryArray.from_arrays(arrow.array([0] * 1024, "int32"), ["x" * 9_000_000])
    parquet.write_table(arrow.table({"text": text}), tmp_path / "a.parquet", compression="zstd")
    nothing = arrow.table({"text": arrow.nulls(1_000_000, "string")})
    parquet.write_table(nothing, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 4096
    long, none = all_worked(
        [(tmp_path / f"{name}.parquet", tmp_path / f"{name}.jsonl", {}) for name in "ab"],
        room=1 << 30,
    )
    assert (long.rows, long.failed) == (1024, 1024)
    assert (none.rows, none.code) == (0, "")
    assert none.peak < PEAK


NESTED = {
    "deep": '{"text": ' + "[" * 200_000 + "]" * 200_000 + "}",
    "wide": "[" + "[]," * 2_000_000 + "[]]",
    "deep enough to write": '{"text": "a", "n": ' + "[" * 900 + "1" + "]" * 900 + "}",
    "keys": "{" + ",".join(f'"{n}":{n}' for n in range(200_000)) + "}",
    "digits": "1" * 5000,
}


def test_nested_json(tmp_path: Path) -> None:
    """Lists in lists, compressed to a few kilobytes: bad rows, and the rows after them are read."""
    good = '{"text": "好", "kept": [[1, {"a": ","}]]}'
    for name, value in NESTED.items():
        lines = "\n".join([good, value, value, value, good]).encode()
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines, 9))
    found = all_worked(
        [(tmp_path / f"{name}.jsonl.gz", tmp_path / f"{name}.jsonl", {}) for name in NESTED]
    )
    assert [(one.rows, one.failed) for one in found] == [(5, 3)] * len(NESTED)
    assert found[-1].peak < PEAK


def test_commas_in_a_text_are_no_values(tmp_path: Path) -> None:
    """A text of 200,000 commas and brackets is one value."""
    row = {"text": "好", "kept": ',[{\\"' * 50_000}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    found = worked(tmp_path / "a.jsonl", tmp_path / "out.jsonl")
    assert (found.rows, found.failed) == (1, 0)


def test_columns_without_number(tmp_path: Path) -> None:
    """A CSV of 400,000 columns is refused, whatever they are called."""
    jobs: list[tuple[Path, Path, dict[str, Any]]] = []
    for number, name in enumerate(["", "a", "名"]):
        path = tmp_path / f"{number}.csv"
        path.write_text((",".join([name] * 400_000) + "\n") * 3)
        jobs += [(path, tmp_path / "out.csv", {"header": header}) for header in (True, False)]
    found = all_worked(jobs)
    assert {one.code for one in found} == {"file_invalid"}
    assert all(str(MAX_COLUMNS) in one.message for one in found)
    assert found[-1].peak < PEAK


def test_wide_rows_go_in_windows_of_few(tmp_path: Path) -> None:
    """16,000 columns with long names and 200 rows: what is held is charged for the names, too."""
    names = ["text"] + [f"{'n' * 50}{n}" for n in range(16_000)]
    rows = (["好"] + ["1"] * 16_000 for _ in range(100))
    (tmp_path / "a.csv").write_text("\n".join(",".join(one) for one in (names, *rows)) + "\n")
    found = worked(tmp_path / "a.csv", tmp_path / "out.jsonl")
    assert (found.rows, found.failed) == (100, 0)
    assert found.peak < PEAK


def test_equal_names_are_made_different_at_once() -> None:
    """A hundred thousand equal names take no longer each than ten do, and none comes twice."""
    names = unlike(["a", "a (2)", "", "#3"] * 50_000)
    assert len(set(names)) == 200_000
    assert names[:6] == ["a", "a (2)", "#3", "#3 (2)", "a (3)", "a (2) (2)"]


def test_an_endless_line(tmp_path: Path) -> None:
    """A line of 128 MB from a file of 128 KB: one bad row, or no header; never held."""
    endings = ["csv.gz", "txt.gz", "jsonl.gz"]
    data = gzip.compress(MEGABYTE * 128, 6)
    assert len(data) < 1 << 18
    for ending in endings:
        (tmp_path / f"a.{ending}").write_bytes(data)
    header, text, row = all_worked(
        [(tmp_path / f"a.{ending}", tmp_path / f"{ending}.jsonl", {}) for ending in endings]
    )
    assert header.code == "file_invalid"
    assert (text.rows, text.failed) == (row.rows, row.failed) == (1, 1)
    assert row.peak < PEAK


def test_expansion_is_limited_where_it_is_asked_for(tmp_path: Path) -> None:
    """A service reads no file that unpacks to hundreds of times its size."""
    path = tmp_path / "a.txt.gz"
    with gzip.open(path, "wb", 6) as file:
        for _ in range(100):
            file.write(MEGABYTE)
    reader = open_reader(Source(path, "txt", "gzip", "utf-8", max_expansion=256, name="a.txt.gz"))
    with pytest.raises(Exception, match=r"^a\.txt\.gz .*\na\.txt\.gz unpacks to more than 256"):
        list(reader)
    reader.close()


def test_shared_strings(tmp_path: Path) -> None:
    """Strings that unpack to 200 MB are refused before they are read; a megabyte of text that a
    thousand cells of a row show is charged a thousand times."""
    many = [b"<sst><si><t>", *[MEGABYTE] * 200, b"</t></si></sst>"]
    one = [b"<sst><si><t>", MEGABYTE, b"</t></si></sst>"]
    row = b"<row>" + b'<c t="s"><v>0</v></c>' * 1000 + b"</row>"
    write(tmp_path / "a.xlsx", [HEADED, END], many)
    write(tmp_path / "b.xlsx", [HEADED, row, cells("ok"), END], one)
    large, shown = all_worked(
        [(tmp_path / f"{name}.xlsx", tmp_path / f"{name}.csv", {}) for name in "ab"]
    )
    assert large.code == "file_invalid"
    assert "sharedStrings" in large.message
    assert (shown.rows, shown.failed) == (2, 1)
    assert shown.peak < PEAK


SHEETS = {
    "row": (b'<row r="99999999999"><c><v>1</v></c></row>', "rows"),
    "rows": (b"<row/>" * (1 << 20), "rows"),
    "column": (b'<row><c r="ZZZZZZ1"><v>1</v></c></row>', ""),
    "columns": (b"<row>" + b"<c><v>1</v></c>" * 20_000 + b"</row>", ""),
    "text": (b"<row><c t='inlineStr'><is><t>" + MEGABYTE * 20 + b"</t></is></c></row>", ""),
    "index": (b"<row><c t='s'><v>7</v></c></row>", ""),
    "digits": (b"<row><c><v>" + b"9" * 400 + b"</v></c></row>", ""),
    "depth": (b"<a>" * 200_000, "nests"),
    "tag": (b'<a b="' + MEGABYTE * 20, "too long"),
    "cut": (b"<row><c><v>1</v></row>", "damaged"),
}


def test_sheets_beyond_every_sheet(tmp_path: Path) -> None:
    """Rows, columns, cells and tags that no spreadsheet has: a bad row, or one error."""
    for name, (piece, _) in SHEETS.items():
        write(tmp_path / f"{name}.xlsx", [HEADED, cells("一"), piece, cells("二"), END])
    every = all_worked(
        [(tmp_path / f"{name}.xlsx", tmp_path / f"{name}.csv", {}) for name in SHEETS]
    )
    for found, (name, (_, message)) in zip(every, SHEETS.items(), strict=True):
        if message:
            assert (found.code, message in found.message) == ("file_invalid", True), name
        else:
            assert (found.rows, found.failed) == (3, 1), name
    assert every[-1].peak < PEAK


def test_entities_are_not_read(tmp_path: Path) -> None:
    """A document type is refused, so that nothing multiplies what it names."""
    bomb = b'<!DOCTYPE a [<!ENTITY x "' + b"x" * 1000 + b'">]>' + HEADED
    write(tmp_path / "a.xlsx", [bomb, END])
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>')
    for name in "ab":
        with pytest.raises(FileError, match="document type"):
            open_reader(Source(tmp_path / f"{name}.xlsx", "xlsx"))


def test_errors_are_short(tmp_path: Path) -> None:
    """A bad row of megabytes is told by its place, and no name goes whole into an error."""
    name, text = "名" * 100_000, "坏" * 100_000
    rows = [f"{name},n", f"{text},1", f"{text},1,2", "好,1"]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    found = done(tmp_path / "a.csv", tmp_path / "out.jsonl", column=name)
    assert (found.rows, found.failed) == (3, 2)
    assert (tmp_path / "out.jsonl.errors.jsonl").stat().st_size < 2000
    with pytest.raises(FileError) as missing:
        done(tmp_path / "a.csv", tmp_path / "b.jsonl", column="没有")
    assert len(str(missing.value)) < 1000


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A FIFO with the name of a file is refused at once; in a folder it is no file."""
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(FileError, match="no regular file"):
        done(tmp_path / "a.txt", tmp_path / "out.txt")
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "a.txt")
    (tmp_path / "in" / "b.txt").write_text("好\n")
    assert done(tmp_path / "in", tmp_path / "out").rows == 1
