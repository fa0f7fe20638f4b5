"""A head that was taught, an index and a gazetteer, named on the command line by their files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import qingyu
from qingyu.cli import run

TEXTS = ["退款没到", "怎么退货", "钱退了吗", "发票抬头", "开电子发票", "补开发票"]
LABELS = ["退款"] * 3 + ["发票"] * 3


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))


def test_batch_asks_a_taught_head_and_an_index(tmp_path: Path) -> None:
    """Each by its folder; answers are those of the Python API."""
    with qingyu.load(threads=1) as model:
        model.teach(TEXTS, LABELS, names=False).save(tmp_path / "my-head")
        index = model.build_index(TEXTS, tmp_path / "my.index")
        label = model.classify("想开发票", head="taught").label
        best = model.search(index, "想开发票").hits[0]
    (tmp_path / "in.csv").write_text("text\n想开发票\n")
    for task, option in (("classify", "head=my-head"), ("search", "index=my.index")):
        name, _, path = option.partition("=")
        out = tmp_path / f"{task}.csv"
        arguments = ["batch", task, str(tmp_path / "in.csv"), str(out), "--threads", "1"]
        assert run([*arguments, "-o", f"{name}={tmp_path / path}"]) == 0
    assert rows(tmp_path / "classify.csv")[0]["label"] == label == "发票"
    found = rows(tmp_path / "search.csv")[0]
    assert found["found"] == best.text
    assert float(found["score"]) == pytest.approx(best.score)
    assert json.loads(found["rows"])[0] == {"text": best.text}


def test_a_gazetteer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names of one's own are found with their labels; a line without a label is refused."""
    names = tmp_path / "names.txt"
    names.write_text("灵犀云枢\t产品\n", "utf-8")
    assert run(["ner", "我们的灵犀云枢很好用", "--gazetteer", str(names), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["entities"]
    assert ("灵犀云枢", "产品") in [(one["text"], one["label"]) for one in found]
    names.write_text("灵犀云枢\n", "utf-8")
    assert run(["ner", "好", "--gazetteer", str(names)]) == 2
    assert "a tab and its label" in capsys.readouterr().err
