"""`qingyu doctor` says what is there, what is missing and how to get it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu import __version__, bundle
from qingyu.cli import doctor, run


def test_a_whole_installation_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Where everything needed is there the status is 0, and the versions are told."""
    assert run(["doctor"]) == 0
    report = capsys.readouterr().out
    for word in (__version__, "onnxruntime", "CPU", "GiB", bundle.DEFAULT):
        assert word in report


def test_the_engine_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which engine runs is told with the reason; one that does not exist is a failure."""
    monkeypatch.setenv("QINGYU_ENGINE", "onnx")
    assert run(["doctor"]) == 0
    assert "onnx（QINGYU_ENGINE=onnx）" in capsys.readouterr().out
    monkeypatch.setenv("QINGYU_ENGINE", "abacus")
    assert run(["doctor"]) == 1
    assert "abacus" in capsys.readouterr().out


def test_what_is_missing_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lacking build tools is a note; lacking the runtime is a failure."""
    monkeypatch.setattr(doctor, "BUILDING", ("no-such-package",))
    assert run(["doctor"]) == 0
    assert "pip install no-such-package" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "NEEDED", ("no-such-package",))
    assert run(["doctor"]) == 1
    assert "no-such-package ✗" in capsys.readouterr().out


def test_a_missing_model_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any model there is nothing to answer with."""
    monkeypatch.delenv(bundle.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(bundle, "EMBEDDED", tmp_path)
    assert run(["doctor"]) == 1
    assert "reinstall" in capsys.readouterr().out


def test_too_many_threads_are_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """More threads than CPUs allowed is slower, and said so."""
    monkeypatch.setenv("QINGYU_THREADS", "4096")
    run(["doctor"])
    assert "more threads than CPUs" in capsys.readouterr().out
