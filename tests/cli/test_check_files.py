"""`qingyu check` on documents: a path that exists is read, and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qingyu.cli import run

ESSAY = "# 作文\n\n他的身体一直很建康。\n\n他因为感冒，所以今天没有来上课。\n"


@pytest.fixture
def essay(tmp_path: Path) -> Path:
    path = tmp_path / "作文.md"
    path.write_text(ESSAY, "utf-8")
    return path


def test_a_file_is_checked_and_written(
    essay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said that a file is read; copy and report are written, the file itself is not."""
    out, report = tmp_path / "改.md", tmp_path / "报告.json"
    command = ["check", str(essay), "--out", str(out), "--report", str(report)]
    assert run([*command, "--fail-on-suspects"]) == 1
    captured = capsys.readouterr()
    assert f"检查文件 {essay}" in captured.err
    assert f"{essay}:3" in captured.out
    assert out.read_text("utf-8") == ESSAY.replace("建康", "健康")
    assert essay.read_text("utf-8") == ESSAY
    [row] = json.loads(report.read_text("utf-8"))["suspects"]
    assert (row["paragraph"], row["text"], row["candidates"][0]) == (3, "建", "健")


def test_a_diff_for_scripts(essay: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--diff prints what would change and nothing else; a word to keep changes nothing."""
    assert run(["check", str(essay), "--diff"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if line[:1] in "+-" and line[:3] not in ("+++", "---")] == [
        "-他的身体一直很建康。",
        "+他的身体一直很健康。",
    ]
    assert run(["check", str(essay), "--diff", "--keep", "建康", "--fail-on-suspects"]) == 0
    assert not capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "arguments",
    [["一句话", "--out", "x.txt"], ["{file}", "一句话"], ["{file}", "--report", "x.pdf"]],
)
def test_what_does_not_go_together_is_told(
    arguments: list[str], essay: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Texts beside files, copies of texts and reports of no known kind are refused."""
    assert run(["check", *(one.format(file=essay) for one in arguments)]) == 2
    assert "错误：" in capsys.readouterr().err
