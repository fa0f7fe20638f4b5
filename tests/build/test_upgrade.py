"""Bundles of format 1 still load, and are rewritten whole or not at all, with the same answers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from qingyu import bundle
from qingyu.build.upgrade import OPAQUE, upgrade
from qingyu.bundle import Manifest
from qingyu.cli import run
from qingyu.engine.network import Network
from qingyu.errors import BuildError, BundleError
from qingyu.numbers import FloatArray
from qingyu.query import Generation, Query
from qingyu.tensors import ALIGNMENT, PADDING, TensorFile, unpack_int8

FORMAT1 = Path(__file__).parent / "format1"
NAMES = sorted(path.name for path in FORMAT1.iterdir())


@pytest.fixture
def old(tmp_path: Path) -> Callable[[str], Path]:
    """`old(name)`: a copy of a tiny bundle of format 1."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(FORMAT1 / name, tmp_path / "bundles" / name))

    return copy


def asked_all(manifest: Manifest) -> list[FloatArray]:
    """What every head says to two texts."""
    draw = np.random.default_rng(0)
    asked = []
    for length in (5, 21):
        ids = draw.integers(6, manifest.sizes.vocab_size, length)
        types, places = np.zeros(length, np.int64), np.arange(0, length, 2)
        for head in ("", *manifest.heads):
            writes = head and manifest.heads[head].kind == "text2text"
            asked.append(
                Query(ids, types, np.arange(length), head, Generation(8))
                if writes
                else Query(ids, types, places, head)
            )
    return Network(manifest).run_batch(asked)


@pytest.mark.parametrize("name", NAMES)
def test_an_upgraded_bundle_answers_the_same(
    name: str, old: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """INT8 to the last bit, others within 1e-5, in the one engine that runs both formats; and the
    plan names every weight."""
    monkeypatch.setenv("QINGYU_ENGINE", "onnx")
    folder = old(name)
    before = bundle.read_manifest(folder)
    assert before.format == bundle.OLD_FORMAT
    expected = asked_all(before)
    after = upgrade(folder)
    assert after.format == bundle.FORMAT
    bundle.verify(after)
    assert sorted(path.name for path in folder.parent.iterdir()) == [name]
    for found, answer in zip(asked_all(after), expected, strict=True):
        if before.precision == "int8":
            assert np.array_equal(found, answer)
        np.testing.assert_allclose(found, answer, atol=1e-5)
    assert after.plan is not None
    # ALBERT, MobileBERT and T5 keep the graphs that they have, and have no products to name.
    assert (after.plan.architecture == "as-is") == (before.family in OPAQUE)
    encoder = TensorFile(folder / bundle.WEIGHTS)
    assert encoder.places
    for product in after.plan.products():
        assert f"{product.name}.weight" in encoder
        assert product.bias is None or product.bias in encoder


def test_files_are_standard_and_aligned(old: Callable[[str], Path]) -> None:
    """The safetensors library reads them; tensors lie at multiples of 64 bytes; packed weights and
    their sums are those of the product.
    """
    folder = old("bert-masked-lm-int8")
    manifest = upgrade(folder)
    for path in folder.glob("*.safetensors"):
        file, theirs = TensorFile(path), load_file(path)
        assert path.stat().st_size % ALIGNMENT == 0
        assert {name for name in theirs if not name.startswith(PADDING)} == set(file.places)
        for name, place in file.places.items():
            assert place.offset % ALIGNMENT == 0
            assert np.array_equal(file.array(name), theirs[name])
    assert manifest.plan is not None
    encoder = TensorFile(folder / bundle.WEIGHTS)
    for product in manifest.plan.products():
        packed = encoder.array(f"{product.name}.weight")
        weights = unpack_int8(packed, product.outputs, product.inputs)
        sums = encoder.array(f"{product.name}.weight_sum")
        assert np.array_equal(weights.sum(axis=1, dtype=np.int32), sums)
        assert weights[1, 2] == packed[0, 0, 1, 2]


def test_a_fresh_build_has_the_same_weights(
    old: Callable[[str], Path], built: Callable[..., Manifest]
) -> None:
    """An upgraded bundle holds, tensor by tensor, what a build of its checkpoint writes."""
    folder = old("bert-masked-lm-int8")
    upgrade(folder)
    fresh = TensorFile(built("bert-masked-lm", "int8").path / bundle.WEIGHTS)
    upgraded = TensorFile(folder / bundle.WEIGHTS)
    assert set(upgraded.places) == set(fresh.places)
    for name in fresh.places:
        np.testing.assert_allclose(upgraded.array(name), fresh.array(name), atol=1e-6, rtol=1e-6)


def test_what_cannot_be_upgraded_stays(old: Callable[[str], Path]) -> None:
    """A damaged bundle is refused with its files untouched; one of format 2 has nothing to do."""
    folder = old("bert-masked-lm-int8")
    weights = folder / bundle.OLD_WEIGHTS
    content = bytearray(weights.read_bytes())
    content[100] ^= 255
    weights.write_bytes(content)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(BundleError, match="checksum"):
        upgrade(folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(list(folder.parent.iterdir())) == 1
    shutil.rmtree(folder)
    upgrade(old("bert-masked-lm-int8"))
    with pytest.raises(BuildError, match="format 2 already"):
        upgrade(folder)


def test_the_command(old: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    """`qingyu models upgrade` tells the format that a bundle has now."""
    folder = old("bert-masked-lm-int8")
    assert run(["models", "upgrade", str(folder)]) == 0
    assert "format 2" in capsys.readouterr().out
    assert run(["models", "upgrade", str(folder)]) == 1
