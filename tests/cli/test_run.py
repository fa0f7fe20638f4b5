"""One command line in, one exit status out, and never a traceback."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest

from qingyu import __version__, bundle
from qingyu.cli import run, start
from qingyu.errors import BundleError, NoMaskError, QingyuError


def test_help_comes_without_being_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """`qingyu` alone tells what to do first, `qingyu models` what there is; neither fails."""
    assert run([]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command, _, _ in start.FIRST)
    assert "--help" in shown
    assert run(["models"]) == 0
    assert "verify" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "answer"),
    [(start.FIRST[0][0], "今天天气真好啊"), (start.FIRST[1][0], "今天天气真好")],
)
def test_what_one_does_first_is_right(
    command: str, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands that `qingyu` alone proposes answer rightly as they stand there."""
    program, *arguments = shlex.split(command)
    assert program == "qingyu"
    assert run(arguments) == 0
    assert f"→ {answer}，适合出去玩。" in capsys.readouterr().out


@pytest.mark.parametrize("group", ["", "models", "phrases"])
def test_summaries_are_whole_in_both_languages(
    group: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However narrow the terminal, a list of commands cuts none of them short."""
    monkeypatch.setenv("COLUMNS", "40")
    assert run([*group.split(), "--help"]) == 0
    commands = capsys.readouterr().out.partition("\nCommands:\n")[2]
    assert "..." not in commands
    lines = commands.splitlines()
    assert len(lines) >= 10
    for chinese, english in zip(lines[::2], lines[1::2], strict=True):
        assert re.match(r"  [a-z]", chinese)
        assert re.search(r"[一-鿿]", chinese)
        assert re.match(r" {6,}[A-Z]", english)


@pytest.mark.parametrize("command", ["fill", "serve", "build", "doctor", "models", "models list"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command's help says in Chinese and English what it does."""
    assert run([*command.split(), "--help"]) == 0
    assert " / " in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is the package's own."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"qingyu {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["fil"], ["fill", "--top-k", "0", "x"], ["fill", "--nonsense"], ["build"], ["models", "x"]],
)
def test_bad_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A mistaken command line is named on standard error in both languages, with where to look."""
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "用法有误" in err
    assert "请看 qingyu" in err
    assert "Error: " in err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["fill", "--top-k", "0", "x"], "--top-k"),
        (["fill", "--topk", "3", "x"], "--topk"),
        (["build", "x"], "--out"),
        (["build"], "SOURCE"),
        (["batch"], "TASK"),
        (["build", "x", "-o", "y", "--precision", "int9"], "--precision"),
        (["batch", "fill", "a", "b", "--header-row", "0"], "--header-row"),
        (["fill", "-k"], "-k"),
        (["serve", "--port"], "--port"),
    ],
)
def test_bad_usage_names_the_option(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both languages say which option or argument is wrong."""
    assert run(arguments) == 2
    zh, en = capsys.readouterr().err.splitlines()
    assert named in zh
    assert named.lower() in en.lower()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NoMaskError(), 2),
        (BundleError("坏", "bad"), 1),
        (QingyuError("错", "wrong"), 1),
        (KeyboardInterrupt(), 130),
        (RuntimeError("boom"), 1),
    ],
)
def test_every_error_has_a_status_and_no_traceback(
    error: BaseException,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bad input is 2, a failure 1, Ctrl-C 130; what is said is a line in each language."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(bundle, "installed", fail)
    assert run(["models", "list"]) == status
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.count("\n") == (0 if status == 130 else 2)


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever reports an unexpected error can get at its origin."""

    def fail() -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(bundle, "installed", fail)
    assert run(["--debug", "models", "list"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error() -> None:
    """`qingyu ... | head` ends quietly: no message, status 0."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "qingyu", "--help"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_output_is_utf8_whatever_the_locale() -> None:
    """A machine whose locale is ASCII still gets Chinese through a pipe."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "qingyu", "--help"]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert "轻语" in done.stdout.decode("utf-8")
