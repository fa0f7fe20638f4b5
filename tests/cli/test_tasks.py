"""The commands of the tasks: JSON as in Python, drawings for people, mistakes told line by line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import qingyu
from qingyu.build.pipeline import Options, build
from qingyu.cli import run
from qingyu.model import Model

CHECKPOINTS = Path(__file__).parents[1] / "golden" / "checkpoints"
TYPO = "今天天汽真好，我们出去玩吧。"
PRAISE = "味道很好，下次还来！"
NAMES = "王小明在清华大学读书。"
GOAL = "主队在最后一分钟攻入制胜球。"
ASKED = ("怎么修改密码", "如何更改登录密码")

COMMANDS: list[tuple[list[str], Callable[[Model], Any], str]] = [
    (["score", TYPO], lambda m: m.score(TYPO), "perplexity"),
    (["check", TYPO, "-k", "3"], lambda m: m.check(TYPO, top_k=3), "气"),
    (["check", PRAISE], lambda m: m.check(PRAISE), "nothing"),
    (["classify", PRAISE], lambda m: m.classify(PRAISE), "正面"),
    (["classify", PRAISE, "--head", "nli"], lambda m: m.classify(PRAISE, head="nli"), "neutral"),
    (
        ["zero-shot", "-l", "体育,财经", GOAL],
        lambda m: m.zero_shot(GOAL, ["体育", "财经"]),
        "体育",
    ),
    (
        ["zero-shot", "-l", "体育", "-t", "主题是{}。", "-t", "{}", "--multi-label", GOAL],
        lambda m: m.zero_shot(
            GOAL, "体育", hypothesis_template=["主题是{}。", "{}"], multi_label=True
        ),
        "体育",
    ),
    (
        ["zero-shot", "-l", "体育,财经", "--method", "cloze", GOAL],
        lambda m: m.zero_shot(GOAL, ["体育", "财经"], method="cloze"),
        "体育",
    ),
    (["similar", *ASKED], lambda m: m.similarity(*ASKED), "相似"),
    (["ner", NAMES], lambda m: m.token_classification(NAMES), "王小明"),
    (
        ["ner", NAMES, "--strategy", "none"],
        lambda m: m.token_classification(NAMES, aggregation_strategy="none"),
        "B-PER",
    ),
    (["embed", PRAISE], lambda m: m.embed(PRAISE), "256"),
]


@pytest.fixture(scope="module")
def model() -> Model:
    return qingyu.load()


@pytest.mark.parametrize(("command", "ask", "drawn"), COMMANDS)
def test_json_is_the_result_of_the_python_api(
    command: list[str],
    ask: Callable[[Model], Any],
    drawn: str,
    model: Model,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With --json a command prints the fields of the result; without, a drawing of it."""
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(ask(model).to_dict()))
    assert run(command) == 0
    assert drawn in capsys.readouterr().out


def test_lines_of_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    """Pairs come as two columns; a line that is no pair is told and does not stop the others."""
    piped = f"{ASKED[0]}\t{ASKED[1]}\n只有一段\n猫\t狗\n".encode()
    stdin = SimpleNamespace(buffer=io.BytesIO(piped), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run(["similar", "--json"]) == 2
    captured = capsys.readouterr()
    first, refused, last = map(json.loads, captured.out.splitlines())
    assert first["score"] == pytest.approx(model.similarity(*ASKED).score, abs=1e-4)
    assert refused["line"] == 2
    assert "第 2 行" in captured.err
    assert last["text_pair"] == "狗"


def test_text_to_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A bundle of an encoder-decoder writes; the default model says that it cannot."""
    t5 = build(CHECKPOINTS / "t5-tied", tmp_path / "t5", Options(precision="fp32", measure=False))
    command = ["text2text", "今天天气真好", "--max-new-tokens", "5", "--beams", "2"]
    assert run([*command, "-m", str(t5.path), "--json"]) == 0
    result = qingyu.load(t5.path).text2text("今天天气真好", max_new_tokens=5, num_beams=2)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(result.to_dict()))
    assert run([*command, "-m", str(t5.path)]) == 0
    assert "→" in capsys.readouterr().out
    assert run(command) == 2
    assert "text2text" in capsys.readouterr().err


def test_labels_of_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Model) -> None:
    """One a line, described after a tab or by itself, as a mapping does it in Python."""
    file = tmp_path / "labels.txt"
    file.write_text("\ufeff体育\t球赛和运动员\n\n财经\n", "utf-8")
    assert run(["zero-shot", "--labels-file", str(file), GOAL, "--json"]) == 0
    expected = model.zero_shot(GOAL, {"体育": "球赛和运动员", "财经": "财经"})
    assert json.loads(capsys.readouterr().out)["scores"] == list(expected.scores)


@pytest.mark.parametrize("command", ["similar", "embed"])
def test_a_file_is_ranked(command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Lines of a file come best first, numbered as in the file."""
    file = tmp_path / "lines.txt"
    file.write_text("如何更改登录密码\n\n今天天气真好\n我要退货\n", "utf-8")
    assert run([command, ASKED[0], "--against", str(file), "-k", "2", "--json"]) == 0
    ranking = json.loads(capsys.readouterr().out)["ranking"]
    assert ranking[0]["index"] == 0
    assert len(ranking) == 2
    assert ranking[0]["score"] > ranking[1]["score"]
    assert run([command, ASKED[0], "--against", str(file)]) == 0
    assert "如何更改登录密码" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        ["similar", "一段"],
        ["similar", "一", "二", "--against", "x"],
        ["similar", "一", "--against", "/no/such/file"],
        ["embed", "一", "二", "--against", "x"],
        ["zero-shot", "一"],
        ["zero-shot", "-l", "，", "一"],
        ["zero-shot", "-l", "甲,乙", "--labels-file", "x", "一"],
        ["zero-shot", "--labels-file", "/no/such/file", "一"],
        ["zero-shot", "-l", "甲,乙", "--method", "guess", "一"],
        ["zero-shot", "-l", "甲", "--method", "cloze", "一"],
        ["zero-shot", "-l", "体育", "-t", "没有空位", "一"],
        ["classify", "一", "--head", "missing"],
        ["check", "一", "--threshold", "-1"],
        ["ner", "一", "--strategy", "best"],
    ],
)
def test_mistakes_are_told(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line is exit status 2 and a message in both languages, no traceback."""
    assert run(command) == 2
    captured = capsys.readouterr()
    assert "错误：" in captured.err
    assert "Error: " in captured.err
    assert "Traceback" not in captured.err
