"""JSON arrays as inputs, and blank lines of texts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.jobs.errors import FileError
from qingyu.jobs.json_array import elements
from qingyu.jobs.readers import open_reader
from qingyu.jobs.rows import BadRow, Position, Row
from qingyu.jobs.sources import Source, written_as
from tests.support.jobs import done

ROWS = [
    {"text": '他说："好[的]，{行}\\', "n": 1},
    "只有一句，",
    {"text": "逗号,引号\\", "deep": {"a": [1, [2, {"b": "]"}]]}},
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=9,
)


def written(folder: Path, value: Any, encoding: str = "utf-8", **how: Any) -> Path:
    path = folder / "rows.json"
    path.write_bytes(json.dumps(value, ensure_ascii=False, **how).encode(encoding))
    return path


def read(path: Path, position: Position | None = None, **reading: Any) -> list[Row | BadRow]:
    compression = "gzip" if path.suffix == ".gz" else ""
    reader = open_reader(Source(path, "json", compression, **reading), position)
    try:
        return list(reader)
    finally:
        reader.close()


def cells(rows: list[Row | BadRow]) -> list[Any]:
    return [row.cells if isinstance(row, Row) else None for row in rows]


@given(st.lists(values, max_size=5), st.integers(1, 9), st.sampled_from([None, 1]))
def test_elements_wherever_pieces_end(array: list[Any], width: int, indent: int | None) -> None:
    """Each element by itself, however the text is written and cut."""
    text = json.dumps(array, indent=indent, ensure_ascii=False)
    pieces = (text[i : i + width] for i in range(0, len(text), width))
    assert [json.loads(one) for one in elements(pieces, 1 << 20)] == array


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_rows(tmp_path: Path, encoding: str, indent: int | None) -> None:
    """Objects and strings are rows, numbered from 1; a reader goes on from any of them."""
    path = written(tmp_path, ROWS, encoding, indent=indent)
    found = read(path)
    assert cells(found) == [ROWS[0], {"text": ROWS[1]}, ROWS[2]]
    assert [row.line for row in found] == [1, 2, 3]
    assert cells(read(path, Position(2))) == [ROWS[2]]


def test_a_compressed_array(tmp_path: Path) -> None:
    """Gzip around it changes nothing."""
    path = tmp_path / "rows.json.gz"
    path.write_bytes(gzip.compress(json.dumps(ROWS).encode()))
    assert len(read(path)) == 3


def test_an_object_a_line_in_a_file_called_json(tmp_path: Path) -> None:
    """What many call .json is lines of objects."""
    path = tmp_path / "rows.json"
    path.write_text('{"text": "一"}\n\n{"text": "二"}\n', "utf-8")
    assert cells(read(path)) == [{"text": "一"}, {"text": "二"}]


def test_what_is_no_row_fails_alone(tmp_path: Path) -> None:
    """A number among objects is a bad row; those around it are read."""
    assert cells(read(written(tmp_path, [{"text": "一"}, 3, {"text": "二"}]))) == [
        {"text": "一"},
        None,
        {"text": "二"},
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[{"text": "一"}', "ends in element 1"),
        ('[{"text": "一', "ends in element 1"),
        ('[{"text": "一"}] {}', "goes on behind"),
        ('{\n "data": []\n}', "no JSON array"),
        (f'["{"字" * 5000}"]', "more than 1000 characters"),
    ],
)
def test_what_is_no_array_is_told(tmp_path: Path, text: str, told: str) -> None:
    """A file that is cut off, goes on, holds something else or too much is refused by name."""
    path = tmp_path / "rows.json"
    path.write_text(text, "utf-8")
    with pytest.raises(FileError, match=told) as caught:
        read(path, max_row_bytes=1000)
    assert "rows.json" in caught.value.en


def test_answers_are_lines(tmp_path: Path) -> None:
    """An array is answered as JSONL, and cannot be written; a folder leaves such files alone."""
    source = written(tmp_path, [{"text": "一"}, {"text": "二三"}])
    done(source, tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["result"]["perplexity"] for line in lines] == [1, 2]
    with pytest.raises(FileError, match=r"out\.jsonl instead"):
        done(source, tmp_path / "out.json")
    (tmp_path / "more").mkdir()
    done(str(tmp_path / "*.json"), tmp_path / "more")
    assert [path.name for path in (tmp_path / "more").iterdir()] == ["rows.jsonl"]
    (alone := tmp_path / "alone").mkdir()
    source.rename(alone / "rows.json")
    with pytest.raises(FileError, match="no file to read"):
        done(alone, tmp_path / "other")
    assert written_as("a.json.gz") == "a.jsonl.gz"
    assert written_as(".jsonl") == ".jsonl"


def test_blank_lines_of_texts_stay(tmp_path: Path) -> None:
    """Texts answered as texts keep their blank lines, so that line stands beside line; in a table
    they are no rows."""
    (tmp_path / "in.txt").write_text("一\n\n二三\n  \n四\n", "utf-8")
    done(tmp_path / "in.txt", tmp_path / "out.txt")
    told = (tmp_path / "out.txt").read_text("utf-8").splitlines()
    assert [bool(line) for line in told] == [True, False, True, False, True]
    done(tmp_path / "in.txt", tmp_path / "out.csv")
    assert len((tmp_path / "out.csv").read_text("utf-8").splitlines()) == 4
