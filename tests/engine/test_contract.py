"""What every engine promises: the same contract for each, on the same queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import qingyu
from qingyu import bundle
from qingyu.build.pipeline import Options, build
from qingyu.bundle import Manifest
from qingyu.engine.choice import ENGINE_VARIABLE, ENGINES, choose, door
from qingyu.engine.network import Network
from qingyu.errors import BundleError, SettingsError
from qingyu.model import Model
from qingyu.query import Query
from tests.engine.stored_answers import STORED, answers, queries

CHECKPOINTS = Path(__file__).parents[1] / "golden" / "checkpoints"
WITHIN = 1e-4  # of FP32 logits, from one engine to another


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each engine that can run the default bundle here, asked for by name."""
    name: str = request.param
    manifest = bundle.read_manifest(bundle.find(bundle.DEFAULT))
    if (refusal := door(name).refusal(manifest)) is not None:
        pytest.skip(f"{name}: {refusal.en}")
    monkeypatch.setenv(ENGINE_VARIABLE, name)
    return name


@pytest.fixture
def model(engine: str) -> Iterator[Model]:
    """The default bundle on that engine."""
    loaded = qingyu.load()
    assert loaded.engine == engine
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Manifest]:
    """`fp32(checkpoint)`: the FP32 bundle of a tiny checkpoint."""
    folder = tmp_path_factory.mktemp("fp32")
    options = Options(precision="fp32", measure=False)
    return cache(lambda name: build(CHECKPOINTS / name, folder / name, options).manifest)


def test_alone_as_in_company(model: Model) -> None:
    """Asked alone or among 300 others, of other heads and lengths, a query gets the same bits."""
    asked = [query for each in queries(model).values() for query in each]
    together = model.run_batch(asked)
    for query, answer in list(zip(asked, together, strict=True))[::10]:
        assert np.array_equal(model.run_batch([query])[0], answer)


def test_answers_are_those_stored(model: Model) -> None:
    """300 texts are answered as when the default bundle was made: probabilities within 0.02, and
    the same answer first in 98 % or all but one, which allows for another kind of CPU.
    """
    with np.load(STORED) as stored:
        expected = dict(stored)
    found = answers(model)
    assert found.keys() == expected.keys()
    for name in ("fill-mask.ids", "nli", "sentiment", "similar", "ner"):
        ours, theirs = (
            each[name][:, 0] if name == "fill-mask.ids" else each[name].argmax(axis=1)
            for each in (found, expected)
        )
        assert (ours != theirs).sum() <= max(1, 0.02 * len(ours)), name
    best = np.abs(np.exp(found["fill-mask"][:, 0]) - np.exp(expected["fill-mask"][:, 0]))
    assert best.mean() < 0.0075  # as far as INT8 itself lies from FP32 on such texts
    assert best.max() < 0.05
    for name in ("nli", "sentiment", "similar", "ner", "hidden"):
        assert np.abs(found[name] - expected[name]).mean() < 0.03, name


@pytest.mark.parametrize("name", ["bert-masked-lm", "bert-ner", "roberta-sentiment"])
def test_engines_agree_in_fp32(
    engine: str, name: str, fp32: Callable[[str], Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At FP32 an engine's logits are ONNX Runtime's within 1e-4."""
    manifest = fp32(name)
    if (refusal := door(engine).refusal(manifest)) is not None:
        pytest.skip(f"{engine}: {refusal.en}")
    draw = np.random.default_rng(0)
    asked: list[Query] = []
    for length in (3, 17, 40):
        ids = draw.integers(6, manifest.sizes.vocab_size, length)
        types, places = np.zeros(length, np.int64), np.arange(0, length, 2)
        asked += [Query(ids, types, places, head) for head in ("", *manifest.heads)]
    found = Network(manifest).run_batch(asked)
    monkeypatch.setenv(ENGINE_VARIABLE, "onnx")
    for ours, theirs in zip(found, Network(manifest).run_batch(asked), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=WITHIN)


def test_an_engine_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """QINGYU_ENGINE takes the names that exist, and a wrong one is an error that lists them."""
    manifest = bundle.read_manifest(bundle.find(bundle.DEFAULT))
    monkeypatch.delenv(ENGINE_VARIABLE, raising=False)
    assert not choose(manifest).asked
    monkeypatch.setenv(ENGINE_VARIABLE, "onnx")
    assert choose(manifest).name == "onnx"
    monkeypatch.setenv(ENGINE_VARIABLE, "abacus")
    with pytest.raises(SettingsError, match=r"auto, .*onnx, not 'abacus'"):
        choose(manifest)


def test_a_bundle_that_needs_onnx_runtime_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ONNX Runtime is not installed, a bundle that needs it is one error with the remedy."""
    from qingyu.engine import onnx, runtime

    manifest = bundle.read_manifest(bundle.find(bundle.DEFAULT))
    monkeypatch.delenv(ENGINE_VARIABLE, raising=False)
    monkeypatch.setattr(onnx, "is_installed", lambda: False)
    monkeypatch.setattr(runtime, "is_installed", lambda: False)
    with pytest.raises(BundleError, match="pip install onnxruntime") as caught:
        choose(replace(manifest, plan=None))
    assert "没有安装 ONNX Runtime" in caught.value.zh
    with pytest.raises(BundleError, match="pip install onnxruntime"):
        runtime.onnx_runtime()


def test_an_engine_that_cannot_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for an engine that refuses a bundle, the error gives its reason in both languages."""
    from qingyu.engine import onnx
    from qingyu.engine.backend import Refusal

    manifest = bundle.read_manifest(bundle.find(bundle.DEFAULT))
    monkeypatch.setenv(ENGINE_VARIABLE, "onnx")
    monkeypatch.setattr(onnx, "refusal", lambda _manifest: Refusal("没有理由", "no reason at all"))
    with pytest.raises(BundleError, match="没有理由") as caught:
        choose(manifest)
    assert "no reason at all" in caught.value.en
