"""Every format goes in and comes out, with its other columns as they were."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.errors import InputError
from qingyu.jobs.compression import compressor
from qingyu.jobs.errors import FileError, MissingLibraryError
from qingyu.jobs.lines import detect_encoding
from qingyu.jobs.readers import open_reader
from qingyu.jobs.rows import Position, Row
from qingyu.jobs.sources import Source
from qingyu.jobs.writers import harmless
from tests.support.jobs import done, rows_of


def needs(module: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed")


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_csv_keeps_every_other_column(tmp_path: Path) -> None:
    """Cells with commas, quotes and line breaks come back as they were, beside the answer."""
    (tmp_path / "in.csv").write_text('id,text,note\n1,"a,b","x\ny"\n2,"他说""好""",\n')
    done(tmp_path / "in.csv", tmp_path / "out.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "out.csv").read_text("utf-8-sig"))))
    assert rows == [
        ["id", "text", "note", "perplexity"],
        ["1", "a,b", "x\ny", "3.000000"],
        ["2", '他说"好"', "", "5.000000"],
    ]


def test_tsv_jsonl_and_txt_come_out_as_each_other(tmp_path: Path) -> None:
    """Whatever the input, the ending of the output says how it is written."""
    (tmp_path / "in.tsv").write_text("n\ttext\n1\t你好\n")
    done(tmp_path / "in.tsv", tmp_path / "a.jsonl")
    assert records(tmp_path / "a.jsonl") == [
        {
            "n": "1",
            "text": "你好",
            "result": {"log_likelihood": 0.0, "perplexity": 2, "tokens": []},
        }
    ]
    done(tmp_path / "a.jsonl", tmp_path / "b.csv")
    assert rows_of(tmp_path / "b.csv")[0] == "n,text,result,perplexity"
    (tmp_path / "in.txt").write_text("你好\n\n再见啊\n")
    done(tmp_path / "in.txt", tmp_path / "c.txt")
    assert rows_of(tmp_path / "c.txt") == ["2.000000", "", "3.000000"]


def test_compressed_files(tmp_path: Path) -> None:
    """gzip is read and written; the same rows are the same bytes, whenever they are written."""
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress("text\n你好\n".encode() * 1))
    done(tmp_path / "in.csv.gz", tmp_path / "a.jsonl.gz")
    done(tmp_path / "in.csv.gz", tmp_path / "b.jsonl.gz")
    assert b'"perplexity": 2' in gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes())
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


@needs("zstandard")
def test_zstd_in_many_frames(tmp_path: Path) -> None:
    """A zstd file written window by window is read to its end."""
    compress = compressor("zstd")
    (tmp_path / "in.txt.zst").write_bytes(compress("一\n".encode()) + compress("二二\n".encode()))
    done(tmp_path / "in.txt.zst", tmp_path / "out.txt")
    assert rows_of(tmp_path / "out.txt") == ["1.000000", "2.000000"]


@needs("pyarrow")
def test_parquet_in_and_out(tmp_path: Path) -> None:
    """Numbers stay numbers, texts texts, and scores are numbers."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    table = arrow.table({"text": ["你好", "再见啊"] * 10, "n": list(range(20))})
    parquet.write_table(table, tmp_path / "in.parquet")
    done(tmp_path / "in.parquet", tmp_path / "out.parquet")
    out = parquet.read_table(tmp_path / "out.parquet").to_pydict()
    assert out["n"] == list(range(20))
    assert out["perplexity"] == [2.0, 3.0] * 10


@needs("openpyxl")
def test_xlsx_in_and_out(tmp_path: Path) -> None:
    """A workbook's first sheet, with a formula in a kept cell made harmless."""
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["text", "n"], ["你好", "x"], ["再见啊", 2]):
        book.active.append(row)
    book.active["B2"] = "+cmd"
    book.save(tmp_path / "in.xlsx")
    done(tmp_path / "in.xlsx", tmp_path / "out.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0]
    assert list(sheet.values) == [
        ("text", "n", "perplexity"),
        ("你好", "'+cmd", 2),
        ("再见啊", 2, 3),
    ]


def test_a_missing_library_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A format whose library is missing names the package, and leaves no trace."""
    import qingyu.jobs.tables as tables

    def nothing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(tables, "import_module", nothing)
    (tmp_path / "in.txt").write_text("你好\n")
    with pytest.raises(MissingLibraryError, match="pip install pyarrow"):
        done(tmp_path / "in.txt", tmp_path / "out.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ("\ufeff你好\n再见".encode(), ["你好", "再见"]),
        ("你好\r\n再见\r\n".encode("gb18030"), ["你好", "再见"]),
        ("𠮷野家\n".encode("gb18030"), ["𠮷野家"]),
    ],
)
def test_encodings(tmp_path: Path, data: bytes, texts: list[str]) -> None:
    """UTF-8 with and without its mark, and GB18030, are told apart."""
    (tmp_path / "in.txt").write_bytes(data)
    done(tmp_path / "in.txt", tmp_path / "out.jsonl")
    assert [row["text"] for row in records(tmp_path / "out.jsonl")] == texts


@pytest.mark.parametrize("data", [b"a\rb\rc", b"\xff\xff\xff\n"])
def test_files_that_are_no_such_text(data: bytes) -> None:
    """Old Mac line ends and plain binary are refused by name."""
    with pytest.raises(FileError):
        detect_encoding(data)


def test_which_column(tmp_path: Path) -> None:
    """Without a name the column `text` or the only one is read; otherwise the choices are told."""
    (tmp_path / "one.csv").write_text("题目\n你好\n")
    done(tmp_path / "one.csv", tmp_path / "one.jsonl")
    (tmp_path / "two.csv").write_text("题目,答案\n你好,a\n")
    with pytest.raises(InputError, match="题目, 答案"):
        done(tmp_path / "two.csv", tmp_path / "two.jsonl")
    done(tmp_path / "two.csv", tmp_path / "two2.jsonl", column="答案")
    with pytest.raises(InputError, match="没有「问」列"):
        done(tmp_path / "two.csv", tmp_path / "two3.jsonl", column="问")
    with pytest.raises(InputError, match="--pair"):
        done(tmp_path / "two.csv", tmp_path / "x.csv", task="sentence-similarity", column="题目")


def test_without_a_header(tmp_path: Path) -> None:
    """The first row is a row, and the columns are numbered."""
    (tmp_path / "in.csv").write_text("你好,1\n再见啊,2\n")
    done(tmp_path / "in.csv", tmp_path / "out.csv", header=False, column="#1")
    assert rows_of(tmp_path / "out.csv") == [
        "#1,#2,perplexity",
        "你好,1,2.000000",
        "再见啊,2,3.000000",
    ]


def test_folders_and_patterns(tmp_path: Path) -> None:
    """All files of a folder, or those a pattern names, are written under the same names."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("一\n坏\n")
    (tmp_path / "in" / "deep" / "b.csv").write_text("text\n二二\n")
    (tmp_path / "in" / "notes.md").write_text("no")
    found = done(tmp_path / "in", tmp_path / "out", to="jsonl")
    assert (found.rows, found.failed) == (3, 1)
    assert len(records(tmp_path / "out" / "a.jsonl")) == 1
    assert len(records(tmp_path / "out" / "deep" / "b.jsonl")) == 1
    (error,) = records(tmp_path / "out" / "qingyu-batch.errors.jsonl")
    assert (error["file"], error["line"]) == ("a.txt", 2)
    done(str(tmp_path / "in" / "*.txt"), tmp_path / "other")
    assert [path.name for path in sorted((tmp_path / "other").iterdir())] == [
        "a.txt",
        "qingyu-batch.errors.jsonl",
    ]


def test_two_inputs_for_one_output(tmp_path: Path) -> None:
    """Files that would fall on each other are refused before anything is written."""
    for name in ("a.txt", "a.csv"):
        (tmp_path / name).write_text("text\n一\n")
    with pytest.raises(FileError, match="Two inputs"):
        done(str(tmp_path / "a.*"), tmp_path / "out", to="jsonl")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS.filter(lambda s: bool(s.strip()))), max_size=30))
def test_any_csv_is_read_as_it_was_written(rows: list[tuple[str, str]]) -> None:
    """Reading from every place between two rows gives the rest of the rows, whatever they hold."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("甲", "text"), *rows])
        places: list[tuple[Position, int]] = []
        reader = open_reader(Source(path, "csv", encoding="utf-8"))
        seen = []
        for row in reader:
            assert isinstance(row, Row)
            seen.append((row.cells["甲"], row.cells["text"]))
            places.append((reader.position, len(seen)))
        reader.close()
        assert seen == rows
        for position, count in places[:: max(1, len(places) // 4)]:
            again = open_reader(Source(path, "csv", encoding="utf-8"), position)
            rest = [row for row in again if isinstance(row, Row)]
            again.close()
            assert [(r.cells["甲"], r.cells["text"]) for r in rest] == rows[count:]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+8613800000000", "+8613800000000"),
        ("-5.2%", "-5.2%"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("\tx", "'\tx"),
        ("＝1+1", "'＝1+1"),
        ("－５", "'－５"),
        ("你好=1", "你好=1"),
    ],
)
def test_no_cell_is_run_as_a_formula(cell: str, written: str) -> None:
    """What a spreadsheet would run gets an apostrophe; numbers stay numbers."""
    assert harmless(cell) == written


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_no_answer_or_name_is_run_as_a_formula(tmp_path: Path, delimiter: str) -> None:
    """Names of columns, cells that are kept and answers alike begin with nothing that runs."""
    ending = "csv" if delimiter == "," else "tsv"
    (tmp_path / "in.jsonl").write_text('{"=cmd": "@x", "text": "+你好"}\n')

    def ask(inputs: Any) -> Any:
        return [{"text": "", "labels": ["=1+1"], "scores": [1.0]} for _ in inputs]

    out = tmp_path / f"out.{ending}"
    done(tmp_path / "in.jsonl", out, ask=ask, task="zero-shot-classification")
    header, row = csv.reader(io.StringIO(out.read_text("utf-8-sig")), delimiter=delimiter)
    assert header[:2] == ["'=cmd", "text"]
    assert row == ["'@x", "'+你好", "'=1+1", "1.000000", "'=1+1 1.000000"]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path, ending: str) -> None:
    """The first column of a file that Excel wrote is called what it says, whatever holds it."""
    text = '{"text": "你好"}\n' if ending == "jsonl" else "text,n\n你好,1\n"
    data = text.encode("utf-8-sig")
    path = tmp_path / f"in.{ending}"
    path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    assert done(path, tmp_path / "out.txt").failed == 0
    assert rows_of(tmp_path / "out.txt") == ["2.000000"]
