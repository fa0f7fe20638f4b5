"""Graphs written by Qingyu answer as transformers does, for every family and task."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qingyu
from qingyu.build.pipeline import Options, build
from qingyu.bundle import WEIGHTS, Manifest
from qingyu.cli import run
from qingyu.engine import onnx, runtime
from qingyu.engine.choice import ENGINE_VARIABLE, ENGINES, choose
from qingyu.engine.native import library
from qingyu.engine.network import Network
from qingyu.errors import BundleError
from tests.support import foreign

GOLDEN = Path(__file__).parent.parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.npz") if "t5" not in path.stem)
NAMES.remove("default-fill-mask")
LEFT_TO_ONNX = {"mobilebert"}  # and T5, which has no encoder alone: see test_t5.py

TOLERANCE = 1e-4


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each engine of the CPU, asked for by name."""
    name: str = request.param
    if name == "native" and not library.PATH.exists():
        pytest.skip("the native engine is not compiled")
    monkeypatch.setenv(ENGINE_VARIABLE, name)
    return name


def network(manifest: Manifest, engine: str) -> Network:
    """The bundle on that engine; nothing is asserted of a family that it leaves to another."""
    if engine == "native" and manifest.family in LEFT_TO_ONNX:
        pytest.skip(f"{manifest.family} is left to ONNX Runtime")
    opened = Network(manifest)
    assert opened.engine.name == engine
    return opened


@pytest.mark.parametrize("name", NAMES)
def test_fp32_equals_transformers(
    name: str, engine: str, built: Callable[..., Manifest], golden: Callable[..., Any]
) -> None:
    """Single texts, pairs with segment ids, a batch of mixed lengths and 512 tokens, all packed
    into common batches, give the hidden states and the logits that transformers gives.
    """
    manifest = built(name)
    queries, expected = zip(*golden(manifest, name), strict=True)
    assert {query.head for query in queries} == {"", *manifest.heads}
    answers = network(manifest, engine).run(queries)
    for query, answer, truth in zip(queries, answers, expected, strict=True):
        np.testing.assert_allclose(
            answer, truth, atol=TOLERANCE, rtol=TOLERANCE, err_msg=query.head
        )


@pytest.mark.parametrize("name", NAMES)
def test_int8_stays_close(
    name: str, engine: str, built: Callable[..., Manifest], golden: Callable[..., Any]
) -> None:
    """INT8 moves hidden states and logits little: these weights are random and wide, the worst to
    quantise."""
    manifest = built(name, "int8")
    queries, expected = zip(*golden(manifest, name), strict=True)
    answers = network(manifest, engine).run(queries)
    for head, most in {"": 0.1, **dict.fromkeys(manifest.heads, 0.2)}.items():
        mine = [query.head == head for query in queries]
        found, truth = (np.concatenate([*compress(each, mine)]) for each in (answers, expected))
        assert np.linalg.norm(found - truth) / np.linalg.norm(truth) < most, head


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize(
    ("kind", "name"), [("macbert", "bert-masked-lm"), ("structbert", "bert-nli")]
)
def test_others_of_the_same_graph_are_bert(
    kind: str,
    name: str,
    precision: str,
    engine: str,
    built: Callable[..., Manifest],
    golden: Callable[..., Any],
    checkpoint: Callable[[str], Path],
) -> None:
    """A checkpoint that calls itself MacBERT or StructBERT has the same bits as BERT, whose
    answers are held against transformers above."""
    folder = checkpoint(name)
    told = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**told, "model_type": kind}), "utf-8")
    options = Options(precision=precision, min_agreement=0, measure=False)
    queries = [query for query, _ in golden(built(name, precision), name)]
    own = network(build(folder, folder.parent / "bundle", options).manifest, engine)
    for ours, theirs in zip(
        own.run(queries), network(built(name, precision), engine).run(queries), strict=True
    ):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["mobilebert-ner", "t5-tied", "adopted"])
def test_what_is_left_to_onnx_runtime_says_so(
    name: str,
    built: Callable[..., Manifest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without ONNX Runtime a MobileBERT, a T5 or an adopted ONNX file is one error that names the
    package, in Python and at the command line, where the status is 1."""
    if name == "adopted":
        source = foreign.make(tmp_path / "foreign")
        manifest = build(source, tmp_path / "bundle", Options(measure=False)).manifest
    else:
        manifest = built(name)
    monkeypatch.delenv(ENGINE_VARIABLE, raising=False)
    assert choose(manifest).name == "onnx"
    monkeypatch.setattr(onnx, "is_installed", lambda: False)
    monkeypatch.setattr(runtime, "is_installed", lambda: False)
    with pytest.raises(BundleError, match="pip install onnxruntime") as caught:
        qingyu.load(manifest.path)
    assert "没有安装 ONNX Runtime" in caught.value.zh
    assert run(["ner", "--model", str(manifest.path), "小明在北京。"]) == 1
    told = capsys.readouterr()
    assert told.err.count("pip install onnxruntime") == 2  # in Chinese, and in English
    assert not told.out


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_answer_does_not_depend_on_its_batch(
    precision: str, built: Callable[..., Manifest], golden: Callable[..., Any]
) -> None:
    """Alone or among others, a query has the same answer; INT8 the same to the last bit."""
    manifest = built("bert-masked-lm", precision)
    queries = [query for query, _ in golden(manifest, "bert-masked-lm")]
    network = Network(manifest)
    together = network.run(queries)
    for query, answer in zip(queries, together, strict=True):
        np.testing.assert_allclose(network.run([query])[0], answer, atol=1e-5)


def test_albert_stores_a_shared_layer_once(built: Callable[..., Manifest]) -> None:
    """Three layers of shared weights weigh less than two of BERT's own, of the same width."""
    shared, own = built("albert-masked-lm"), built("bert-masked-lm")
    assert shared.sizes.num_layers > own.sizes.num_layers
    layer = 4 * (4 * 32 * 32 + 2 * 32 * 64)
    assert shared.files[WEIGHTS].bytes < own.files[WEIGHTS].bytes - layer


def test_heads_and_their_labels_are_found(built: Callable[..., Manifest]) -> None:
    """The task, its labels in order and what its logits mean come from the checkpoint alone."""
    nli = built("bert-nli").heads["classification"]
    assert (nli.kind, nli.problem) == ("sequence-classification", "single_label")
    assert set(nli.labels) == {"entailment", "neutral", "contradiction"}
    assert built("bert-multi-label").heads["classification"].problem == "multi_label"
    assert built("bert-regression").heads["classification"].problem == "regression"
    assert built("bert-ner").heads["tags"].kind == "token-classification"
    assert list(built("electra-masked-lm").heads) == ["fill-mask"]
    assert built("bert-encoder").heads == {}
