"""`qingyu exercise`: a text or a file in, a sheet out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qingyu.cli import run
from qingyu.jobs.documents import read_document
from qingyu.jobs.exercise_sheet import sheet
from qingyu.results import ExerciseItem, ExerciseResult

TEXT = "家门口有一棵大树。"


def test_a_sheet_has_text_choices_and_key() -> None:
    """Numbers run through all texts, and each letter of the key is where its answer stands."""
    one = ExerciseResult(
        "一棵树", "一（1）____树", (ExerciseItem(1, 1, 2, "measures", "棵", ("张", "棵"), 0.9),)
    )
    two = ExerciseResult(
        "一匹马", "一（1）____马", (ExerciseItem(1, 1, 2, "measures", "匹", (), 0.9),)
    )
    assert sheet([one, two]) == [
        "填空", "一（1）____树", "一（2）____马", "",
        "选项", "1. A. 张  B. 棵", "",
        "答案", "1. B 棵", "2. 匹", "",
    ]  # fmt: skip
    assert sheet([one], marked=True)[:4] == ["## 填空", "", "一（1）____树", ""]


@pytest.mark.parametrize("ending", ["docx", "md", "txt"])
def test_a_file_becomes_a_sheet(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each kind of file holds the blanks, the choices and the key."""
    if ending == "docx":
        pytest.importorskip("lxml")
    source, out = tmp_path / "课文.txt", tmp_path / f"练习.{ending}"
    source.write_text(f"{TEXT}\n他骑着一匹马。\n", "utf-8")
    assert run(["exercise", str(source), "--out", str(out)]) == 0
    assert "2 个空" in capsys.readouterr().err
    told = "\n".join(read_document(out).paragraphs.values())
    assert "家门口有一（1）____大树。" in told
    assert "他骑着一（2）____马。" in told
    assert "棵" in told.rpartition("答案")[2]


def test_on_the_terminal_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A sheet to read, or the result's own fields."""
    assert run(["exercise", TEXT, "--kind", "measures", "--choices", "2"]) == 0
    assert "家门口有一（1）____大树。" in capsys.readouterr().out
    assert run(["exercise", TEXT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["items"][0]["answer"] == "棵"


def test_what_is_wrong_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another ending before anything is computed; a kind that there is not."""
    assert run(["exercise", TEXT, "--out", str(tmp_path / "a.pdf")]) == 2
    assert ".docx" in capsys.readouterr().err
    assert run(["exercise", TEXT, "--kind", "verbs"]) == 2
    assert run(["exercise", "天气很好。"]) == 0
    assert "nothing to blank" in capsys.readouterr().err
