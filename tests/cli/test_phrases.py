"""`qingyu phrases`: a memory made, looked into, joined, fitted and used from the command line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from qingyu.cli import run

MANUAL = ["灵犀云枢启动后指示灯变绿。", "请先关闭灵犀云枢，再拔电源。", "青萝键盘连接灵犀云枢。"]


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    path = tmp_path / "manual.txt"
    path.write_text("\n".join(MANUAL), "utf-8")
    return path


def told(capsys: pytest.CaptureFixture[str]) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_memory_is_made_and_used(
    manual: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Built from a file, it fills a blank of the file, and the answer says that it did."""
    memory = str(tmp_path / "m.phrases")
    assert run(["phrases", "build", str(manual), "--out", memory]) == 0
    capsys.readouterr()
    text = "请先关闭灵犀云[MASK]，再拔电源。"
    assert run(["fill", "--json", "--phrases", memory, text]) == 0
    (result,) = told(capsys)
    best = result["masks"][0]["candidates"][0]
    assert (best["token"], best["remembered"]) == ("枢", True)
    assert run(["phrases", "lookup", "--json", memory, text]) == 0
    assert {"枢"} == {one["token"] for one in told(capsys)}


def test_every_kind_of_file_counts_the_same(
    manual: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text, compressed lines of JSON, a column of a table and a folder give the same entries."""
    rows = "".join(json.dumps({"text": line}) + "\n" for line in MANUAL)
    packed = tmp_path / "manual.jsonl.gz"
    packed.write_bytes(gzip.compress(rows.encode()))
    table = tmp_path / "manual.csv"
    table.write_text(
        "id,words\n" + "".join(f"{i},{one}\n" for i, one in enumerate(MANUAL)), "utf-8"
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("\n".join(MANUAL), "utf-8")
    made = []
    for source in ([str(manual)], [str(packed)], [str(table), "--column", "words"], [str(folder)]):
        memory = tmp_path / f"{len(made)}.phrases"
        assert run(["phrases", "build", *source, "--out", str(memory)]) == 0
        made.append(memory.read_bytes())
    assert len(set(made)) == 1
    capsys.readouterr()


def test_info_and_merge(manual: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was counted is told; two files joined have the entries of both."""
    one, two, both = (str(tmp_path / name) for name in ("1.phrases", "2.phrases", "3.phrases"))
    assert run(["phrases", "build", str(manual), "--out", one]) == 0
    assert run(["phrases", "build", f"{manual}*3", "--list", str(manual), "--out", two]) == 0
    assert run(["phrases", "merge", one, two, "--out", both]) == 0
    capsys.readouterr()
    found = []
    for path in (one, two, both):
        assert run(["phrases", "info", "--json", path]) == 0
        found += told(capsys)
    assert found[0]["tables"][0]["texts"] == 3
    assert found[1]["tables"][0]["texts"] == 6
    assert found[2]["entries"] == found[0]["entries"] + found[1]["entries"]


def test_fit_changes_the_gate_alone(
    manual: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fitting on other text keeps the entries and says what it gained."""
    memory = tmp_path / "m.phrases"
    other = tmp_path / "other.txt"
    other.write_text("请先关闭电源，再打开盖子。\n指示灯变绿以后请重新启动。\n", "utf-8")
    assert run(["phrases", "build", str(manual), "--out", str(memory)]) == 0
    capsys.readouterr()
    assert run(["phrases", "fit", str(memory), str(other)]) == 0
    assert "nats" in capsys.readouterr().err
    assert run(["phrases", "info", "--json", str(memory)]) == 0
    (found,) = told(capsys)
    assert found["tables"][0]["fitted_on"] > 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "none.txt", "--out", "x.phrases"],
        ["build", "bad.jsonl", "--out", "x.phrases"],
        ["build", "blank.txt", "--out", "x.phrases"],
        ["build", "good.txt", "--out", "no/such/folder/x.phrases"],
        ["info", "good.txt"],
        ["lookup", "good.txt", "[MASK]"],
        ["merge", "good.txt", "none.phrases", "--out", "x.phrases"],
    ],
)
def test_what_is_wrong_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    """One error in both languages, a status above 0, and no file left behind."""
    monkeypatch.chdir(tmp_path)
    Path("good.txt").write_text("今天天气真好。\n", "utf-8")
    Path("blank.txt").write_text("\n\n", "utf-8")
    Path("bad.jsonl").write_text('{"text": "好"}\n{"text": \n', "utf-8")
    assert run(["phrases", *arguments]) in (1, 2)
    said = capsys.readouterr().err
    assert "错误" in said
    assert "Error" in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("**/x.phrases*"))
