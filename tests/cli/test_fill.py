"""`qingyu fill` on the embedded model: tables for people, lines of JSON for programs."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

import qingyu
from qingyu.cli import run

WEATHER = "今天天气真[MASK]啊，适合出去玩。"


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Let `data` be what somebody pipes into the process."""
    stdin = SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """The text, the candidates asked for with bar and percentage, and the filled sentence."""
    assert run(["fill", "--top-k", "3", WEATHER]) == 0
    lines = capsys.readouterr().out.splitlines()
    best = qingyu.load().fill_mask(WEATHER)
    assert lines[0] == WEATHER
    assert len(lines) == 1 + 3 + 1
    assert best.masks[0].candidates[0].token in lines[1]
    assert "█" in lines[1]
    assert lines[1].endswith("%")
    assert lines[-1].endswith(best.sequence)


def test_json_is_the_result_of_the_python_api(capsys: pytest.CaptureFixture[str]) -> None:
    """One line per text, with the same fields and values as in Python and over HTTP."""
    texts = [WEATHER, "北京是中国的首[MASK]，[MASK]京是江苏的省会。"]
    assert run(["fill", "--json", "--top-k", "2", *texts]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    results = qingyu.load().fill_mask(texts, top_k=2)
    assert lines == [json.loads(json.dumps(result.to_dict())) for result in results]
    assert [len(line["masks"]) for line in lines] == [1, 2]


def test_markup_in_a_text_stays_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets are masks and text, never formatting."""
    assert run(["fill", "[bold]天气[/bold]真[mask]啊 :smile:"]) == 0
    assert capsys.readouterr().out.startswith("[bold]天气[/bold]真[mask]啊 :smile:\n")


def test_lines_of_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line is answered in order; blank ones and Windows line ends do no harm."""
    pipe(monkeypatch, f"{WEATHER}\r\n\n首[MASK]\n".encode())
    assert run(["fill", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["text"] for line in lines] == [WEATHER, "首[MASK]"]


def test_a_bad_line_fails_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines without a mask or in no encoding are named; the others are answered; status 2."""
    good = WEATHER.encode()
    pipe(monkeypatch, b"\n".join([good, "没有空".encode(), good, b"\xff\xff\x80", good]))
    assert run(["fill", "--json"]) == 2
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert ["error" in line for line in lines] == [False, True, False, True, False]
    assert lines[1]["error"]["code"] == "no_mask"
    assert lines[1]["line"] == 2
    assert "第 2 行：未找到 [MASK]" in err
    assert "line 4: is in no encoding" in err


def test_nothing_to_read_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty file has no answers and no errors."""
    pipe(monkeypatch, b"")
    assert run(["fill"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["天气真好"], "未找到 [MASK]"),
        ([""], "文本为空"),
        (["--top-k", "999999", WEATHER], "top_k"),
        (["--model", "gamma", WEATHER], "gamma"),
    ],
)
def test_bad_input(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be answered is status 2 and one sentence in each language."""
    assert run(["fill", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 2


def start(*arguments: str, **streams: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "qingyu", "fill", "--json", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **streams)


@pytest.fixture
def heeded_interrupt() -> Iterator[None]:
    """A shell lets background jobs ignore interrupts, and what they start would, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("heeded_interrupt")
def test_ctrl_c_ends_quietly() -> None:
    """An interrupt while waiting for input leaves no traceback, only status 130."""
    with start(stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{WEATHER}\n".encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["text"] == WEATHER
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)  # its input is still open: nothing but the signal can end it
        _, err = process.communicate()
    assert (process.returncode, err) == (130, b"")


@pytest.mark.slow
def test_a_reader_may_leave_in_the_middle() -> None:
    """When whoever reads the answers goes away, the rest is not computed and nothing is said."""
    reader, writer = os.pipe()
    with start(stdout=writer) as process:
        os.close(writer)
        os.close(reader)
        _, err = process.communicate(f"{WEATHER}\n".encode() * 300, timeout=60)
    assert (process.returncode, err) == (0, b"")
