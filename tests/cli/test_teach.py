"""`qingyu teach`: rows of a file to a head, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.cli import run
from qingyu.taught import ABOUT

TABLE = "留言,类别\n" + "".join(
    f"{text},{label}\n"
    for label, texts in {
        "退款": ["我要退款", "钱何时退给我", "退款三天了", "退的钱没到", "把钱退回来"],
        "物流": ["快递到哪了", "包裹没送到", "物流不动", "何时发货", "快递员没来"],
    }.items()
    for text in texts
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Ten rows of two labels, and one without."""
    path = tmp_path / "rows.csv"
    path.write_text(TABLE + "没有标签,\n", "utf-8")
    return path


def test_a_head_is_taught_told_and_used(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Score and interval are told, rows left out too; the head then classifies."""
    out = tmp_path / "my-head"
    asked = ["teach", str(table), "--text", "留言", "--label", "类别", "--out", str(out)]
    assert run([*asked, "--no-names"]) == 0
    told = capsys.readouterr()
    assert "交叉验证准确率" in told.out
    assert "95 %" in told.out
    assert "略过 1 行" in told.err
    assert (out / ABOUT).is_file()
    assert run(["classify", "--head", str(out), "--json", "退款没到"]) == 0
    assert '"label": "退款"' in capsys.readouterr().out


def test_a_wrong_column_is_told_with_those_there_are(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written where a column is missing."""
    assert run(["teach", str(table), "--out", str(tmp_path / "x")]) == 2
    assert "没有「text」列；有：留言、类别" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
