"""`qingyu models`, on bundles made by hand and broken on purpose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qingyu import bundle
from qingyu.cli import run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is searched for bundles, and the only one."""
    monkeypatch.setenv(bundle.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(bundle, "EMBEDDED", tmp_path / "none")
    return tmp_path


def make_bundle(place: Path, name: str) -> Path:
    folder = place / name
    folder.mkdir()
    names = ("weights.bin", "encoder.onnx", "head.onnx", "tokenizer.json")
    for file in names:
        (folder / file).write_bytes(b"\x00" * 1000 if file == "weights.bin" else b"")
    manifest = bundle.Manifest(
        name=name,
        family="bert",
        precision="int8",
        sizes=bundle.Sizes(100, 8, 1, 1, 16, 32, 1234),
        heads={"sentiment": bundle.HeadInfo("head.onnx", "sequence-classification", ("负", "正"))},
        files={file: bundle.file_info(folder / file) for file in names},
        licence="Apache-2.0",
    )
    bundle.write_manifest(manifest, folder)
    return folder


def test_list(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every bundle is listed, as a table and as lines of JSON."""
    make_bundle(place, "beta")
    make_bundle(place, "alpha")
    assert run(["models", "list"]) == 0
    table = capsys.readouterr().out
    assert table.index("alpha") < table.index("beta")
    assert run(["models", "list", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["name"] for line in lines] == ["alpha", "beta"]
    assert lines[0]["bytes"] == 1000


def test_one_damaged_bundle_does_not_hide_the_others(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken manifest is complained about beside a full list, and the status says so."""
    make_bundle(place, "alpha")
    (make_bundle(place, "broken") / bundle.MANIFEST).write_text("{", encoding="utf-8")
    assert run(["models", "list"]) == 1
    out, err = capsys.readouterr()
    assert "alpha" in out
    assert "broken" in err


def test_info(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The manifest is shown by name and by path, with its labels and its digest."""
    folder = make_bundle(place, "alpha")
    assert run(["models", "info", "alpha", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["labels"] == {"sentiment": ["负", "正"]}
    assert shown["digest"] == bundle.read_manifest(folder).digest
    assert run(["models", "info", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "Apache-2.0" in text
    assert "sentiment: 负, 正" in text


def test_an_unknown_model_is_bad_input(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names what was asked for and what there is."""
    make_bundle(place, "alpha")
    assert run(["models", "info", "gamma"]) == 2
    said = capsys.readouterr().err
    assert "gamma" in said
    assert "alpha" in said


def test_verify(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed byte is found, the file named, and intact bundles are still reported."""
    make_bundle(place, "alpha")
    weights = make_bundle(place, "beta") / "weights.bin"
    assert run(["models", "verify"]) == 0
    weights.write_bytes(b"\x01" + weights.read_bytes()[1:])
    capsys.readouterr()
    assert run(["models", "verify"]) == 1
    out, err = capsys.readouterr()
    assert "alpha" in out
    assert "beta" not in out
    assert "weights.bin" in err
    assert run(["models", "verify", "alpha"]) == 0
