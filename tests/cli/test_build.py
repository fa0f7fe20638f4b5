"""`qingyu build`: from a checkpoint directory to a bundle that answers."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from qingyu.cli import run

CHECKPOINT = Path(__file__).parent.parent / "golden" / "checkpoints" / "bert-masked-lm"

LOOSE = ["--min-agreement", "0", "--no-measure"]  # random weights agree with nothing for long


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_what_is_built_can_be_asked(
    precision: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkpoint becomes a bundle that verifies, is described and fills masks."""
    out = tmp_path / "mine"
    assert run(["build", str(CHECKPOINT), "--out", str(out), "--precision", precision, *LOOSE]) == 0
    assert str(out) in capsys.readouterr().out
    assert run(["models", "verify", str(out)]) == 0
    capsys.readouterr()
    assert run(["models", "info", "--json", str(out)]) == 0
    assert json.loads(capsys.readouterr().out)["precision"] == precision
    assert run(["fill", "--model", str(out), "--json", "今天天气真[MASK]"]) == 0
    assert json.loads(capsys.readouterr().out)["masks"][0]["candidates"]


def test_what_exists_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is there already stays as it was, and the error names it."""
    (tmp_path / "precious").write_text("kept", encoding="utf-8")
    assert run(["build", str(CHECKPOINT), "--out", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_folder_without_a_checkpoint_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says which file is missing, and nothing is left behind."""
    source = tmp_path / "source"
    source.mkdir()
    assert run(["build", str(source), "--out", str(tmp_path / "out")]) == 2
    assert "config.json" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_without_the_build_tools_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain installation lacks onnx; the error gives the command that brings it."""
    real = importlib.util.find_spec

    def without_onnx(name: str, package: str | None = None) -> Any:
        return None if name in ("onnx", "onnxruntime") else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_onnx)
    assert run(["build", str(CHECKPOINT), "--out", str(tmp_path / "out")]) == 1
    assert "pip install onnx onnxruntime" in capsys.readouterr().err
