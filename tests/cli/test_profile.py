"""`qingyu profile`: measured memory beside the estimate, and what fits."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from qingyu.build.measure.footprint import Footprint, Shape
from qingyu.build.pipeline import Options, build
from qingyu.cli import run
from qingyu.cli.profile import largest_batches, parse_size
from qingyu.errors import SettingsError

CHECKPOINT = Path(__file__).parent.parent / "golden" / "checkpoints" / "bert-masked-lm"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles") / "tiny"
    return build(CHECKPOINT, out, Options(precision="fp32", measure=False)).path


def test_a_grid_a_limit_and_a_picture(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tables, the same as JSON, and an SVG that parses and has a cell for every shape."""
    picture = tmp_path / "heat.svg"
    limits = ["--memory", "512MB", "--memory", "1GB"]
    command = ["profile", str(bundle), *limits, "--plot", str(picture)]
    assert run(command) == 0
    assert "runtime" in capsys.readouterr().out
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {shape["length"] for shape in told["shapes"]} == {16, 64, 128, 256, 512}
    assert all(shape["seconds"] > 0 and shape["estimated"] > 0 for shape in told["shapes"])
    drawn = ElementTree.parse(picture)  # noqa: S314 our own
    cells = drawn.iter("{http://www.w3.org/2000/svg}rect")
    assert len(list(cells)) == len(told["shapes"]) + 1
    if sys.platform == "linux":
        assert told["loaded"] > told["runtime"] > 0
    for limit in ("512MB", "1GB"):
        assert list(told["largest_batches"][limit]) == ["16", "64", "128", "256", "512"]


def test_what_fits_is_what_is_left(bundle: Path) -> None:
    """Longer texts fit less often; where weights alone do not fit, nothing does."""
    from qingyu.bundle import read_manifest

    shapes = tuple(Shape(16, length, length * 10**6, 0.1) for length in (16, 128))
    found = Footprint(50 * 10**6, 100 * 10**6, shapes)
    manifest = read_manifest(bundle)
    fits = largest_batches(manifest, found, 500 * 10**6)
    assert fits == {16: 400, 128: 50}
    assert largest_batches(manifest, found, 90 * 10**6) == {16: 0, 128: 0}


@pytest.mark.parametrize(
    ("text", "count"), [("512MB", 512 * 10**6), ("1 GiB", 2**30), ("4gb", 4 * 10**9), ("7", 7)]
)
def test_sizes_are_read(text: str, count: int) -> None:
    """Decimal and binary units, in either case."""
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "MB", "1.2.3GB", "-1GB", "five"])
def test_sizes_that_are_none(text: str) -> None:
    """The error shows what a size looks like."""
    with pytest.raises(SettingsError, match="512MB"):
        parse_size(text)
