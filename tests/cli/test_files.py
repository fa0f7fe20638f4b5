"""Files where texts are expected: read, or told what to do with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qingyu.cli import run

LINES = ["王小明在清华大学读书。", "", "今天天气真好。"]


@pytest.fixture
def essay(tmp_path: Path) -> Path:
    path = tmp_path / "作文.txt"
    path.write_bytes("\n".join(LINES).encode("gbk"))
    return path


@pytest.mark.parametrize(
    "command", [["ner"], ["classify"], ["embed"], ["score"], ["zero-shot", "-l", "天气,学习"]]
)
def test_a_file_is_read(
    command: list[str], essay: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each paragraph is answered as a text of its own, and it is said that a file is read."""
    assert run([*command, str(essay), "--json"]) == 0
    captured = capsys.readouterr()
    assert f"读取文件 {essay}" in captured.err
    assert [json.loads(line)["text"] for line in captured.out.splitlines()] == [LINES[0], LINES[2]]


def test_masks_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A paragraph without a mask is told by its number and keeps no other from its answer."""
    path = tmp_path / "题.md"
    path.write_text("# 题\n\n今天天气真[MASK]啊。\n", "utf-8")
    assert run(["fill", str(path), "--json"]) == 2
    captured = capsys.readouterr()
    assert "第 1 行" in captured.err
    refused, filled = map(json.loads, captured.out.splitlines())
    assert refused["line"] == 1
    assert filled["masks"]


@pytest.mark.parametrize("command", ["ner", "check"])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("表.csv", "qingyu batch"),
        ("表.xlsx", "qingyu batch"),
        ("行.jsonl.gz", "qingyu batch"),
        ("书.pdf", ".docx"),
        ("旧.doc", ".docx"),
    ],
)
def test_what_is_no_document(
    command: str, name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables and what is no text are refused with what to do, not read as gibberish."""
    (tmp_path / name).write_bytes(b"%PDF-1.7")
    assert run([command, str(tmp_path / name)]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", ["ner", "check"])
def test_a_file_that_is_not_there(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like a file's name is answered as a text, and that is said."""
    assert run([command, "没有这个.txt"]) == 0
    assert "没有文件 没有这个.txt" in capsys.readouterr().err


def test_files_and_texts_apart(essay: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One command reads files or texts; two texts that are compared are no files."""
    assert run(["ner", str(essay), "一句话"]) == 2
    assert "run them apart" in capsys.readouterr().err
    assert run(["similar", str(essay), str(essay)]) == 2
    assert "--against" in capsys.readouterr().err
