"""`qingyu batch` on the embedded model."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

import qingyu
from qingyu.cli import run
from qingyu.cli.progress import ProgressLine
from qingyu.jobs.runner import Progress


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))


def test_a_file_is_filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column is read, answers stand beside it as the model gives them, bad rows aside."""
    (tmp_path / "in.csv").write_text(
        "n,题\n1,今天天气真[MASK]啊。\n2,没有空\n3,北京是中国的[MASK]都。\n"
    )
    arguments = ["batch", "fill", str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    assert run([*arguments, "-c", "题", "-k", "2", "--threads", "1"]) == 2
    assert "1 bad rows" in capsys.readouterr().err
    first, second = rows(tmp_path / "out.csv")
    assert (first["n"], second["n"]) == ("1", "3")
    model = qingyu.load(threads=1)
    assert first["filled"] == model.fill_mask("今天天气真[MASK]啊。").sequence
    assert second["candidates"].count(";") == 1
    model.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No batch task"),
        (["zero-shot"], "candidate_labels"),
        (["fill", "-k", "999999"], "top_k"),
        (["fill", "-o", "top_k"], "NAME=VALUE"),
        (["fill", "-o", "nonsense=1"], "nonsense"),
        (["fill", "--encoding", "klingon"], "no encoding"),
        (["fill", "-c", "nope"], "no column"),
    ],
)
def test_mistakes_are_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """What every row would meet is one error, and leaves no file behind."""
    (tmp_path / "in.csv").write_text("text,n\n今天[MASK]好,1\n")
    task, *rest = arguments
    status = run(["batch", task, str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), *rest])
    assert status == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_the_line_of_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """It tells rows, rate and time left, and in the end how many rows were there before."""
    line = ProgressLine()
    line._terminal = True
    line._began -= 10
    line._told -= 10
    line._first = Progress(100, 0, 0, 0, 1000)
    line.show(Progress(200, 3, 0, 250, 1000))
    line.end(Progress(400, 3, 100, 1000, 1000))
    said = capsys.readouterr().err
    assert "20 行/秒" in said
    assert "25%" in said
    assert "left 0:00:30" in said
    assert "续接 100" in said


def test_blank_lines_of_a_checked_text(tmp_path: Path) -> None:
    """A text that is checked as a text keeps its paragraphs apart."""
    (tmp_path / "in.txt").write_text("今天天气真好。\n\n他的身体很健康。\n", "utf-8")
    assert run(["batch", "check", str(tmp_path / "in.txt"), str(tmp_path / "out.txt")]) == 0
    assert (tmp_path / "out.txt").read_bytes() == (tmp_path / "in.txt").read_bytes()


def test_progress_before_the_first_window(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said at once what is read, and texts are counted while no window is written."""
    monkeypatch.setattr("qingyu.cli.progress.LOG_SECONDS", 0.0)
    (tmp_path / "in.txt").write_text("一\n二\n", "utf-8")
    assert run(["batch", "embed", str(tmp_path / "in.txt"), str(tmp_path / "out.jsonl")]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("开始 / begun: in.txt")
    assert said[1:3] == ["已答 / answered: 1", "已答 / answered: 2"]
    assert said[-1].startswith("完成 / done: 2")


@pytest.mark.parametrize("windows", [0, 1])
def test_an_interrupted_job_says_how_it_goes_on(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    windows: int,
) -> None:
    """Ctrl-C tells what is written and what is left, and the same command goes on from there."""
    (tmp_path / "in.txt").write_text("今天天气真好。\n" * 640, "utf-8")  # asked once
    command = ["batch", "embed", str(tmp_path / "in.txt"), str(tmp_path / "out.jsonl")]
    shown: list[Progress] = []

    def interrupting(line: ProgressLine, progress: Progress) -> None:
        line._last = progress
        shown.append(progress)
        if len(shown) == windows:
            raise KeyboardInterrupt

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if windows:
            patched.setattr(ProgressLine, "show", interrupting)
        else:
            patched.setattr(ProgressLine, "counted", interrupted)
        assert run(command) == 130
    said = capsys.readouterr().err
    assert "the same command" in said
    assert ("stopped: 512 rows are written, about 20% is left" in said) is bool(windows)
    assert run(command) == 0
    assert len((tmp_path / "out.jsonl").read_text("utf-8").splitlines()) == 640
