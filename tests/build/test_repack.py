"""Bundles whose INT4 weights lie in rows, as of old: they run as they did, and are rewritten."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from qingyu import bundle
from qingyu.build.add_heads import add_heads
from qingyu.build.upgrade import upgrade
from qingyu.engine.choice import ENGINE_VARIABLE
from qingyu.engine.native import library, refusal
from qingyu.engine.network import Network
from qingyu.errors import BuildError
from qingyu.numbers import FloatArray
from qingyu.query import Query

OLD = Path(__file__).parent / "int4_rows" / "bert-masked-lm"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a tiny bundle of old."""
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def answers(folder: Path) -> list[FloatArray]:
    """What encoder and head say to two texts."""
    manifest, draw = bundle.read_manifest(folder), np.random.default_rng(0)
    asked = []
    for length in (5, 21):
        ids = draw.integers(6, manifest.sizes.vocab_size, length)
        types, places = np.zeros(length, np.int64), np.arange(length)
        asked += [Query(ids, types, places, head) for head in ("", *manifest.heads)]
    return Network(manifest).run_batch(asked)


def test_as_it_is_another_engine_runs_it(folder: Path) -> None:
    """The native engine says how it can be rewritten; ONNX Runtime reads it as before."""
    no = refusal(bundle.read_manifest(folder))
    assert no is not None
    assert f"qingyu models upgrade {folder}" in no.en
    assert all(np.isfinite(rows).all() for rows in answers(folder))


def test_rewritten_it_answers_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the engine that runs both, nothing changes; and the native engine runs it, too."""
    monkeypatch.setenv(ENGINE_VARIABLE, "onnx")
    before, expected = bundle.read_manifest(folder), answers(folder)
    after = upgrade(folder)
    bundle.verify(after)
    assert (after.heads, after.plan, after.format) == (before.heads, before.plan, before.format)
    for found, answer in zip(answers(folder), expected, strict=True):
        np.testing.assert_allclose(found, answer, atol=1e-5)
    if library.PATH.exists():
        assert refusal(after) is None
        monkeypatch.setenv(ENGINE_VARIABLE, "native")
        for found, answer in zip(answers(folder), expected, strict=True):
            assert np.corrcoef(found.ravel(), answer.ravel())[0, 1] > 0.999
    with pytest.raises(BuildError, match="already"):
        upgrade(folder)


def test_heads_wait_for_it(folder: Path) -> None:
    """Heads are added to a bundle as it is written today; the error names the command."""
    with pytest.raises(BuildError, match="qingyu models upgrade"):
        add_heads(folder, folder)
