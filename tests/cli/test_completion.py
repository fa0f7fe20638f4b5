"""Tab: what a shell is told may come next, and how it comes to ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qingyu.cli import completion, main, run


def completed(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """What bash is told after these words, the last of them unfinished."""
    monkeypatch.setenv(completion.ASKED, "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("qingyu fi", ["fill"]),
        ("qingyu models ver", ["verify"]),
        ("qingyu fill --top", ["--top-k"]),
        ("qingyu serve --ope", ["--open"]),
        ("qingyu serve --host x --max-te", ["--max-texts"]),
    ],
)
def test_commands_and_flags_are_completed(
    words: str,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Commands, commands of groups, flags, and those of `serve`, which are made when it runs."""
    assert completed(words, monkeypatch, capsys) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes(tmp_path: Path) -> None:
    """The script that is shown in a bash makes that bash complete."""
    program = tmp_path / "qingyu"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m qingyu "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(qingyu --show-completion)"; COMP_WORDS=(qingyu check --punc); COMP_CWORD=2; '
        '_qingyu_completion qingyu; echo "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.stdout == "--punctuation\n", done.stderr


def test_it_is_installed_for_the_shell_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shell's own files are written, once however often it is asked."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(completion, "_shell", lambda: "bash")
    for _ in range(2):
        assert run(["--install-completion"]) == 0
    script = tmp_path / ".bash_completions" / "qingyu.sh"
    assert completion.ASKED in script.read_text()
    assert (tmp_path / ".bashrc").read_text().count(str(script)) == 1
    assert str(script) in capsys.readouterr().err


def test_another_shell_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no shell that completes is found, both languages say which there are."""
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("tcsh", "/bin/tcsh"))
    assert run(["--show-completion"]) == 2
    assert capsys.readouterr().err.count("fish") == 2
