"""Tables as they are in the wild: encodings, quotes, titles, sheets, and what a target can hold."""

from __future__ import annotations

import codecs
import json
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from qingyu.errors import InputError
from qingyu.jobs.errors import FileError
from qingyu.jobs.readers import open_reader
from qingyu.jobs.rows import Position, Row
from qingyu.jobs.sources import Source
from qingyu.text.encodings import decoded, detect
from tests.support.jobs import done, rows_of

SIMPLIFIED = "这家餐厅的菜很好吃，下次还会再来！"
TRADITIONAL = "這家餐廳的菜很好吃，下次還會再來！"


def errors_of(output: Path) -> list[dict[str, Any]]:
    path = output.with_name(output.name + ".errors.jsonl")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def texts(path: Path, kind: str = "csv", **reading: Any) -> list[Any]:
    reader = open_reader(Source(path, kind, **reading))
    found = [row.cells for row in reader if isinstance(row, Row)]
    reader.close()
    return found


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SIMPLIFIED, "gb18030"),
        (TRADITIONAL, "gb18030"),
        (TRADITIONAL, "big5hkscs"),
        (SIMPLIFIED, "utf-8"),
        (TRADITIONAL, "utf-16-le"),
        (SIMPLIFIED, "utf-16-be"),
        ("，。！", "gb18030"),
        ("等了两个小时，菜都凉了。\n服务很差", "gb18030"),
        ("房間很乾淨，前臺也熱情。", "big5hkscs"),
    ],
)
@pytest.mark.parametrize("head", ["", "id,text\r\n1,"])
def test_the_likelier_encoding(text: str, encoding: str, head: str) -> None:
    """Of encodings that can read the bytes, the one whose characters people use."""
    data = (head + text + "\n").encode(encoding)
    if encoding.startswith("utf-16") and not head:
        data = (codecs.BOM_UTF16_LE if encoding.endswith("le") else codecs.BOM_UTF16_BE) + data
    assert detect(data) == encoding
    assert decoded(data) == head + text + "\n"


def test_what_no_encoding_explains_is_refused() -> None:
    """Bytes that come out as characters nobody writes are not answered."""
    with pytest.raises(InputError, match="no encoding that can be told"):
        detect(bytes(range(0x80, 0x100)) * 20 + b"\n")


@pytest.mark.parametrize("encoding", ["big5hkscs", "utf-16", "utf-16-le", "utf-32", "gb18030"])
def test_tables_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    """They are read by themselves and where they are named, from every place between two rows."""
    rows = "".join(f"{n},{TRADITIONAL}\r\n" for n in range(5))
    path = tmp_path / "a.csv"
    path.write_bytes(f"id,text\r\n{rows}".encode(encoding))
    for told in ("auto", encoding):
        assert [cells["text"] for cells in texts(path, encoding=told)] == [TRADITIONAL] * 5
    reader = open_reader(Source(path, "csv"))
    places = [reader.position for _ in reader]
    reader.close()
    for number, place in enumerate(places, 1):
        again = open_reader(Source(path, "csv"), place)
        assert len(list(again)) == 5 - number
        again.close()


def test_tsv_has_no_quotes(tmp_path: Path) -> None:
    """A quote in TSV is a character, unless quotes are asked for; what TSV cannot hold is bad."""
    path = tmp_path / "a.tsv"
    path.write_text('id\ttext\n1\t"他说很差\n2\t5"的屏幕\n3\t"好"\n')
    assert [cells["text"] for cells in texts(path, "tsv")] == ['"他说很差', '5"的屏幕', '"好"']
    done(path, tmp_path / "out.tsv")
    assert rows_of(tmp_path / "out.tsv")[2] == '2\t5"的屏幕\t5.000000'
    path.write_text('id\ttext\n1\t"一\t二"\n')
    assert texts(path, "tsv", quotes=True) == [{"id": "1", "text": "一\t二"}]
    (tmp_path / "b.csv").write_text('text,n\n"一\n二",1\n好,2\n')
    assert done(tmp_path / "b.csv", tmp_path / "b.tsv").failed == 1
    assert "TSV" in errors_of(tmp_path / "b.tsv")[0]["message_en"]


def test_a_separator_that_is_told(tmp_path: Path) -> None:
    """`sep=;` on the first line is for the reader, and no header."""
    path = tmp_path / "a.csv"
    path.write_text("sep=;\nid;text\n1;一,二\n")
    assert texts(path) == [{"id": "1", "text": "一,二"}]
    path.write_text("sep=|\n1|好\n")
    assert texts(path, header=False) == [{"#1": "1", "#2": "好"}]


def test_titles_above_the_header(tmp_path: Path) -> None:
    """`header_row` says where the table begins, in CSV as in a workbook."""
    openpyxl = pytest.importorskip("openpyxl")
    path = tmp_path / "a.csv"
    path.write_text("客户反馈表\n2024年,,\nid;text\n1;好\n")
    assert texts(path, header_row=3) == [{"id": "1", "text": "好"}]
    book = openpyxl.Workbook()
    for row in (["客户反馈表"], [], ["id", "text"], [1, "好"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert texts(tmp_path / "a.xlsx", "xlsx", header_row=2) == [{"id": 1, "text": "好"}]


def test_other_sheets(tmp_path: Path) -> None:
    """A sheet by its name or its number; another is refused with the names there are."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["text"])
    other = book.create_sheet("评论")
    other.append(["text"])
    other.append(["好"])
    path = tmp_path / "a.xlsx"
    book.save(path)
    for wanted in ("评论", "2"):
        assert texts(path, "xlsx", sheet=wanted) == [{"text": "好"}]
    with pytest.raises(FileError, match="there are: Sheet, 评论"):
        texts(path, "xlsx", sheet="3")


def test_the_old_format_is_told(tmp_path: Path) -> None:
    """`.xls` is refused by its name or its beginning, with what to do."""
    (tmp_path / "a.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    (tmp_path / "a.xlsx").write_bytes(b"\xd0\xcf\x11\xe0")
    for name in ("a.xls", "a.xlsx"):
        with pytest.raises(FileError, match=r"save it as \.xlsx"):
            done(tmp_path / name, tmp_path / "out.csv")


def test_what_a_workbook_holds(tmp_path: Path) -> None:
    """Dates stay dates, long numbers keep their digits, characters that XML has not come back;
    cells that are too long are bad rows."""
    openpyxl = pytest.importorskip("openpyxl")
    rows = [
        {"text": "好", "n": 13800138000123456, "note": "a\u0001b_x0041_"},
        {"text": "长", "n": 1, "note": "x" * 32_768},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert done(tmp_path / "a.jsonl", tmp_path / "a.xlsx").failed == 1
    assert "32767" in errors_of(tmp_path / "a.xlsx")[0]["message_en"]
    (back,) = texts(tmp_path / "a.xlsx", "xlsx")
    assert (back["n"], back["note"]) == ("13800138000123456", "a\u0001b_x0041_")
    book = openpyxl.Workbook()
    told = [date(2024, 5, 1), datetime(2024, 5, 1, 12, 30), time(7, 5), timedelta(hours=30)]
    book.active.append(["text", "date", "moment", "time", "long"])
    book.active.append(["好", *told])
    book.save(tmp_path / "b.xlsx")
    done(tmp_path / "b.xlsx", tmp_path / "c.xlsx")
    done(tmp_path / "b.xlsx", tmp_path / "c.csv")
    assert list(texts(tmp_path / "c.xlsx", "xlsx")[0].values())[1:5] == told
    assert rows_of(tmp_path / "c.csv")[1].startswith(
        "好,2024-05-01,2024-05-01T12:30:00,07:05:00,30:00:00,"
    )


def test_what_parquet_holds(tmp_path: Path) -> None:
    """Dates, times and durations keep their types; bytes that are no text, nanoseconds and maps
    are text and objects."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table(
        {
            "text": ["好"],
            "date": arrow.array([date(2024, 5, 1)]),
            "moment": arrow.array([datetime(2024, 5, 1, 12, 30)], arrow.timestamp("us")),
            "long": arrow.array([timedelta(hours=30)], arrow.duration("us")),
            "fine": arrow.array([1], arrow.timestamp("ns", "Asia/Shanghai")),
            "map": arrow.array([[("a", 1)]], arrow.map_(arrow.string(), arrow.int64())),
            "bytes": arrow.array([b"\xff\x00"]),
            "nothing": arrow.array([float("nan")]),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    done(tmp_path / "a.parquet", tmp_path / "b.parquet")
    schema = parquet.read_schema(tmp_path / "b.parquet")
    kinds = [schema.field(name).type for name in ("date", "moment", "long")]
    assert kinds == [arrow.date32(), arrow.timestamp("us"), arrow.duration("us")]
    done(tmp_path / "a.parquet", tmp_path / "b.jsonl")
    row = json.loads((tmp_path / "b.jsonl").read_bytes())
    assert (row["long"], row["fine"]) == ("30:00:00", "1970-01-01T08:00:00.000000001+08:00")
    assert (row["map"], row["bytes"], row["nothing"]) == ({"a": 1}, "/wA=", None)


def test_numbers_that_json_has_not(tmp_path: Path) -> None:
    """An infinite number in a row makes that row bad, rather than the output no JSON."""
    (tmp_path / "a.jsonl").write_text('{"text": "好", "n": 1e999}\n{"text": "好", "n": 1}\n')
    assert done(tmp_path / "a.jsonl", tmp_path / "b.jsonl").failed == 1
    assert json.loads((tmp_path / "b.jsonl").read_bytes())["n"] == 1


def test_position_in_a_workbook_is_its_row(tmp_path: Path) -> None:
    """Bad rows of a workbook are told by the number that the spreadsheet shows."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["text"], ["好"], [], ["坏"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    done(tmp_path / "a.xlsx", tmp_path / "a.csv")
    assert errors_of(tmp_path / "a.csv")[0]["line"] == 4
    reader = open_reader(Source(tmp_path / "a.xlsx", "xlsx"), Position(2))
    assert [row.line for row in reader] == [4]
    reader.close()
