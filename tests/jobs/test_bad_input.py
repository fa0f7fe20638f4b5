"""What is wrong in a file is told by line and reason, and stops nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qingyu.jobs.errors import FileError, TooManyErrorsError
from qingyu.jobs.readers import open_reader
from qingyu.jobs.rows import BadRow, Position, Row
from qingyu.jobs.sources import Source
from qingyu.jobs.windows import Limits
from tests.support.jobs import done, rows_of


def refused(output: Path) -> list[dict[str, Any]]:
    lines = output.with_name(output.name + ".errors.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def test_ragged_rows_and_refused_texts(tmp_path: Path) -> None:
    """Rows too short, too long or empty of text go to the errors file; the others are answered."""
    (tmp_path / "in.csv").write_text("id,text\n1,你好\n2\n3,a,b\n4,\n5,坏\n6,好的\n")
    out = tmp_path / "out.csv"
    assert done(tmp_path / "in.csv", out).failed == 4
    assert rows_of(out)[1:] == ["1,你好,2.000000", "6,好的,2.000000"]
    assert [(e["line"], e["code"]) for e in refused(out)] == [
        (3, "row_invalid"),
        (4, "row_invalid"),
        (5, "empty_text"),
        (6, "no_mask"),
    ]
    assert refused(out)[0]["raw"] == "2\n"
    assert refused(out)[3]["row"] == {"id": "5", "text": "坏"}


def test_nul_bytes_and_mixed_encodings(tmp_path: Path) -> None:
    """Damage stays in its own row, whose bytes are kept in the errors file."""
    gb = "第三行".encode("gb18030")
    (tmp_path / "in.csv").write_bytes(
        "text,n\n第一行,1\n第\0二行,2\n".encode() + gb + b",3\nok,4\n"
    )
    out = tmp_path / "out.csv"
    done(tmp_path / "in.csv", out)
    assert [row.split(",")[1] for row in rows_of(out)[1:]] == ["1", "4"]
    nul, mixed = refused(out)
    assert "NUL" in nul["message"]
    assert "utf-8" in mixed["message"]
    import base64

    assert base64.b64decode(mixed["raw_base64"]) == gb + b",3\n"


def test_a_huge_cell_is_passed_over_and_named_by_its_bytes(tmp_path: Path) -> None:
    """A cell of many lines over the limit is one bad row: nothing inside it becomes a row."""
    head, row, tail = "text,n\n一,1\n", '"' + "坏,x\n" * 3000 + '",2\n', "二二,3\n"
    path = tmp_path / "in.csv"
    path.write_text(head + row + tail)
    reader = open_reader(Source(path, "csv", max_row_bytes=1000))
    first, bad, last = list(reader)
    reader.close()
    assert isinstance(first, Row)
    assert isinstance(bad, BadRow)
    assert isinstance(last, Row)
    assert (first.cells["text"], last.cells["text"]) == ("一", "二二")
    start, end = bad.raw["bytes"]
    assert path.read_bytes()[start:end] == row.encode()


def test_a_hundred_megabytes_without_a_line_end(tmp_path: Path) -> None:
    """A line of 100 MB is never held: it is told, and the next line is read."""
    import resource

    path = tmp_path / "in.txt"
    with path.open("wb") as file:
        file.write(b"before\n")
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b"\nafter\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader = open_reader(Source(path, "txt"))
    rows = list(reader)
    reader.close()
    assert [row.cells["text"] for row in rows if isinstance(row, Row)] == ["before", "after"]
    (bad,) = [row for row in rows if isinstance(row, BadRow)]
    assert bad.raw["bytes"] == [7, 7 + (100 << 20) + 1]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


def test_a_quote_that_never_closes(tmp_path: Path) -> None:
    """What CSV would read as one endless cell is told, with the line that opened it."""
    (tmp_path / "in.csv").write_text('text,n\n好,1\n"开头,2\n后来,3\n')
    out = tmp_path / "out.csv"
    assert done(tmp_path / "in.csv", out).failed == 1
    (error,) = refused(out)
    assert error["line"] == 3
    assert "never closed" in error["message_en"]
    assert error["raw"] == '"开头,2\n后来,3\n'


@pytest.mark.parametrize(
    "line", ["{", "[1]", "3", '{"text": 1e999999}', '{"a": "b"}', '{"text": ["x"]}', '"\\ud800"']
)
def test_lines_that_are_no_objects(tmp_path: Path, line: str) -> None:
    """JSON Lines that are no JSON, no object, or have no text are bad rows, not the end."""
    (tmp_path / "in.jsonl").write_text(f'{line}\n{{"text": "好"}}\n"文字"\n')
    out = tmp_path / "out.jsonl"
    found = done(tmp_path / "in.jsonl", out)
    assert found.rows == 3
    assert found.failed == 1


def test_rows_with_columns_a_table_has_not(tmp_path: Path) -> None:
    """A CSV's header comes from the first rows; a later surprise is told, not dropped."""
    rows = ['{"text": "好"}'] * 8 + ['{"text": "好", "late": 1}']
    (tmp_path / "in.jsonl").write_text("\n".join(rows))
    out = tmp_path / "out.csv"
    done(tmp_path / "in.jsonl", out)
    (error,) = refused(out)
    assert error["line"] == 9
    assert "late" in error["message_en"]


def test_the_limit_of_errors(tmp_path: Path) -> None:
    """Beyond it the job stops; with a higher limit the same command goes on from there."""
    (tmp_path / "in.txt").write_text("坏\n" * 20 + "好\n" * 20)
    out = tmp_path / "out.txt"
    with pytest.raises(TooManyErrorsError, match="over the limit of 10"):
        done(tmp_path / "in.txt", out, max_errors=10)
    assert not out.exists()
    asked = []

    def ask(inputs: Any) -> Any:
        asked.extend(inputs)
        from tests.support.jobs import lengths

        return lengths(inputs)

    found = done(tmp_path / "in.txt", out, max_errors=20, ask=ask)
    assert (found.rows, found.failed, found.resumed) == (40, 20, 14)
    assert len(refused(out)) == 20


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("in.csv", b"", "is empty"),
        ("in.csv.gz", b"\x1f\x8b\x08\0 broken", "damaged"),
        ("in.doc", b"x", "Unknown format"),
        ("in.csv", "text,\udcff".encode("utf-8", "surrogateescape") + b"\n1,2\n", "header"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    """A file that cannot be read at all is one error that names it, and no output."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FileError, match=message):
        done(tmp_path / name, tmp_path / "out.csv", encoding="utf-8")
    assert not (tmp_path / "out.csv").exists()


def test_a_cut_gzip_file_keeps_what_was_read(tmp_path: Path) -> None:
    """A download that broke off is an error, and its rows so far are not lost."""
    import gzip
    import random

    random.seed(0)
    text = "\n".join(f"第{i}行{random.random()}" for i in range(2000))
    (tmp_path / "in.txt.gz").write_bytes(gzip.compress(text.encode())[:-5000])
    with pytest.raises(FileError, match="damaged"):
        done(tmp_path / "in.txt.gz", tmp_path / "out.txt", limits=Limits(rows=200))
    assert (tmp_path / "out.txt.part").stat().st_size > 0


def test_a_position_is_a_value() -> None:
    """Where a file begins is where nothing was read."""
    assert Position() == Position(0, 0)
