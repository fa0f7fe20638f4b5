"""The wheel works alone: built, installed where nothing else is, and asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

import qingyu
from qingyu import bundle

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests" / "golden"
WEATHER = "今天天气真[MASK]啊，适合出去玩。"
MAX_MODEL_BYTES = 85_000_000

pytestmark = pytest.mark.slow


def call(*command: str | Path, cwd: Path) -> str:
    """Run a program that sees nothing of this checkout; return what it printed."""
    hidden = ("PYTHON", "QINGYU_", "VIRTUAL_ENV")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    call(*pip, "wheel", ROOT, "--no-deps", "--wheel-dir", folder, cwd=folder)
    (path,) = folder.glob("qingyu-*.whl")
    return path


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of a clean environment lie, with the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    place = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    call(*pip, "--python", place / "python", "install", "--no-compile", wheel, cwd=folder)
    return place


def test_the_wheel_carries_what_it_needs(wheel: Path) -> None:
    """The model, the page and the builder are inside; tests, caches and checkouts are not."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    model = f"qingyu/bundles/{bundle.DEFAULT}/"
    for name in (
        "qingyu/py.typed",
        "qingyu/build/pipeline.py",
        "qingyu/web/static/index.html",
        model + bundle.MANIFEST,
        model + "README.md",
    ):
        assert name in sizes
    assert {name.split("/")[0] for name in sizes} == {
        "qingyu",
        f"qingyu-{qingyu.__version__}.dist-info",
    }
    assert not [name for name in sizes if "__pycache__" in name]
    assert sum(size for name, size in sizes.items() if name.startswith(model)) <= MAX_MODEL_BYTES


def test_the_installed_model_answers_like_the_reference(programs: Path) -> None:
    """The wheel's INT8 model keeps the best token of the golden lines, ties apart, in 98 %, and the
    mean KL is at most 0.002: as `tests/tasks/test_default_model.py` asks of the checkout."""
    replay = Path(__file__).parent / "replay.py"
    said: dict[str, Any] = json.loads(
        call(programs / "python", "-I", replay, GOLDEN, cwd=programs.parent)
    )
    assert Path(said["module"]).is_relative_to(programs.parent)
    assert said["texts"] >= 300
    assert said["same_best"] >= 0.96
    assert said["same_best_or_tied"] >= 0.98
    assert said["divergence"] <= 0.002


def test_the_installed_command_answers(programs: Path) -> None:
    """`qingyu fill` of the wheel says what the checkout says, and `models verify` is content."""
    said = json.loads(call(programs / "qingyu", "fill", "--json", WEATHER, cwd=programs.parent))
    expected = qingyu.load().fill_mask(WEATHER).to_dict()
    for ours, theirs in zip(
        said["masks"][0]["candidates"], expected["masks"][0]["candidates"], strict=True
    ):
        assert ours["token"] == theirs["token"]
        assert ours["score"] == pytest.approx(theirs["score"], abs=1e-4)
    assert bundle.DEFAULT in call(programs / "qingyu", "models", "verify", cwd=programs.parent)


def test_nothing_of_training_or_building_is_installed(programs: Path) -> None:
    """A user's environment has no PyTorch, no transformers, no onnx; the command still says so."""
    code = (
        "import importlib.util as u; "
        "print([n for n in ('torch', 'transformers', 'onnx') if u.find_spec(n)])"
    )
    assert call(programs / "python", "-I", "-c", code, cwd=programs.parent) == "[]\n"
    report = call(programs / "qingyu", "doctor", cwd=programs.parent)
    assert "pip install onnx" in report
