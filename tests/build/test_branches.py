"""Heads with layers of their own: built with a checkpoint, or added to a bundle, they answer as
PyTorch does (tests/reference/branch_goldens.py).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from qingyu import bundle
from qingyu.build.add_heads import add_heads
from qingyu.build.pipeline import Options, build
from qingyu.build.shrink.prune import Pruning
from qingyu.bundle import Manifest
from qingyu.cli import run
from qingyu.engine.network import Network
from qingyu.errors import AgreementError, BuildError, CheckpointError
from qingyu.numbers import FloatArray
from qingyu.query import Query

HERE = Path(__file__).parent
BRANCHES = HERE / "branches"
CHECKPOINT = HERE.parent / "golden" / "checkpoints" / "bert-masked-lm"
HEADS = ("tags", "topic", "vector", "correct", "words", "detect")


@pytest.fixture
def tiny(built: Callable[..., Manifest], tmp_path: Path) -> Callable[[str], Path]:
    """`tiny(precision)`: a copy of the tiny checkpoint's bundle."""

    def copy(precision: str) -> Path:
        return Path(shutil.copytree(built("bert-masked-lm", precision).path, tmp_path / precision))

    return copy


@pytest.fixture(scope="module")
def asked() -> list[tuple[Query, FloatArray]]:
    """Every head at all positions of three texts, and what PyTorch answers."""
    with np.load(BRANCHES / "goldens.npz") as stored:
        arrays = dict(stored)
    found: list[tuple[Query, FloatArray]] = []
    for length in (3, 9, 21):
        ids, types, places = arrays[f"{length}.input_ids"], np.zeros(length, int), np.arange(length)
        found += [(Query(ids, types, places, name), arrays[f"{length}.{name}"]) for name in HEADS]
    return found


def close(manifest: Manifest, asked: list[tuple[Query, FloatArray]], within: float) -> None:
    found = Network(manifest).run_batch([query for query, _ in asked])
    for (_, expected), answer in zip(asked, found, strict=True):
        np.testing.assert_allclose(answer, expected, atol=within)


@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-4), ("int8", 0.25), ("int4", 1.5)])
def test_built_with_a_checkpoint(
    precision: str, within: float, asked: list[tuple[Query, FloatArray]], tmp_path: Path
) -> None:
    """heads.json with `branch` beside a checkpoint's weights: all heads in one bundle, of fewer
    positions than the checkpoint's.
    """
    source = Path(shutil.copytree(CHECKPOINT, tmp_path / "source"))
    weights = source / "model.safetensors"
    heads = {
        name: a.astype(np.float32) for name, a in load_file(BRANCHES / "heads.safetensors").items()
    }
    save_file(load_file(weights) | heads, weights)
    shutil.copy(BRANCHES / "heads.json", source)
    options = Options(
        precision=precision, measure=False, min_agreement=0, pruning=Pruning(positions=24)
    )
    manifest = build(source, tmp_path / "out", options).manifest
    assert manifest.sizes.max_positions == 24
    close(manifest, asked, within)
    assert manifest.heads["detect"].weights == manifest.heads["correct"].weights
    assert manifest.heads["detect"].layers == manifest.heads["correct"].layers
    tags = manifest.heads["tags"]
    assert (tags.branch, tags.unit) == (1, "character")
    assert tags.plan is not None
    assert len(tags.plan.layers) == 1


@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-4), ("int8", 0.25), ("int4", 1.5)])
def test_added_to_a_bundle(
    precision: str,
    within: float,
    asked: list[tuple[Query, FloatArray]],
    tiny: Callable[[str], Path],
) -> None:
    """The same answers, at INT8 nearly; alone as in company; no other file's bytes change."""
    folder = tiny(precision)
    before = bundle.read_manifest(folder)
    manifest = add_heads(folder, BRANCHES, least_agreement=0)
    bundle.verify(manifest)
    close(manifest, asked, within)
    network = Network(manifest)
    queries = [query for query, _ in asked]
    for query, answer in zip(queries, network.run_batch(queries), strict=True):
        assert np.array_equal(network.run_batch([query])[0], answer)
    for name, info in before.files.items():
        if name != bundle.ENCODER:
            assert manifest.files[name] == info, name
    assert set(manifest.heads) == {*before.heads, *HEADS}
    assert manifest.accuracy["tags"]["agreement"] > 0.8


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_added_in_turn(precision: str, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """Heads added one after another make the bundle that they make together, byte by byte."""
    folder = tiny(precision)
    again = Path(shutil.copytree(folder, tmp_path / "again"))
    together = add_heads(folder, BRANCHES, least_agreement=0)
    entries = json.loads((BRANCHES / "heads.json").read_text("utf-8"))
    for number, names in enumerate(
        [["vector"], ["correct", "detect"], ["tags"], ["words"], ["topic"]]
    ):
        heads = tmp_path / str(number)
        heads.mkdir()
        shutil.copy(BRANCHES / "heads.safetensors", heads)
        (heads / "heads.json").write_text(json.dumps({name: entries[name] for name in names}))
        in_turn = add_heads(again, heads, least_agreement=0)
    assert in_turn.files == together.files
    assert in_turn.heads == together.heads


def test_a_temperature_divides_logits(
    asked: list[tuple[Query, FloatArray]], tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    """What heads.json gives as temperature, a classifier's weights take in."""
    heads = tmp_path / "heads"
    heads.mkdir()
    shutil.copy(BRANCHES / "heads.safetensors", heads)
    entry = {"kind": "token-classification", "labels": ["O", "B-X", "I-X"], "branch": 1}
    (heads / "heads.json").write_text(json.dumps({"tags": entry | {"temperature": 2.5}}))
    manifest = add_heads(tiny("fp32"), heads)
    tags = [(query, expected / 2.5) for query, expected in asked if query.head == "tags"]
    close(manifest, tags, 1e-4)


def test_a_head_costs_as_many_layers_as_before(tiny: Callable[[str], Path]) -> None:
    """A head that branches off after one layer and has one of its own reads two in all."""

    def norms(folder: Path, *files: str) -> int:
        nodes = (node for file in files for node in onnx.load(folder / file).graph.node)
        return sum(node.op_type == "LayerNormalization" for node in nodes)

    folder = tiny("int8")
    whole = norms(folder, bundle.ENCODER)
    manifest = add_heads(folder, BRANCHES, least_agreement=0)
    assert manifest.segments == {1: "encoder.onnx", 2: "encoder-1.onnx"}
    assert norms(folder, "encoder.onnx", manifest.heads["tags"].layers) == whole
    assert norms(folder, "encoder.onnx", "encoder-1.onnx") == whole


def test_a_head_is_replaced(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """A head of the same name takes the place of the old one; one whose weights another head needs
    is not taken alone.
    """
    folder = tiny("int8")
    first = add_heads(folder, BRANCHES, least_agreement=0)
    again = add_heads(folder, BRANCHES, least_agreement=0)
    assert first.files == again.files
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(BRANCHES / "heads.safetensors", alone)
    (alone / "heads.json").write_text(
        '{"correct": {"kind": "correction", "labels": [], "branch": 1}}'
    )
    with pytest.raises(BuildError, match="detect share"):
        add_heads(folder, alone)


@pytest.mark.parametrize(
    ("entry", "error", "said"),
    [
        ('{"tags": {"kind": "embedding", "labels": [], "branch": 7}}', CheckpointError, "layer 7"),
        ('{"tags": {"kind": "guess", "labels": []}}', CheckpointError, "guess"),
        ('{"../tags": {"kind": "embedding", "labels": []}}', CheckpointError, "name"),
        ('{"no": {"kind": "detection", "labels": ["x"], "branch": 1}}', CheckpointError, "missing"),
        ("{}", BuildError, "no heads.json"),
    ],
)
def test_heads_that_do_not_fit(
    entry: str, error: type[Exception], said: str, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    """A wrong branch, kind, name or tensor is one clear error, and the bundle stays as it was."""
    folder = tiny("int8")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    heads = tmp_path / "heads"
    heads.mkdir()
    shutil.copy(BRANCHES / "heads.safetensors", heads)
    (heads / "heads.json").write_text(entry)
    with pytest.raises(error, match=said):
        add_heads(folder, heads)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(path.name for path in folder.parent.iterdir()) == ["heads", "int8"]


def test_what_strays_is_refused(tiny: Callable[[str], Path]) -> None:
    """More agreement than rounding leaves is refused, and nothing is written."""
    folder = tiny("int4")
    with pytest.raises(AgreementError):
        add_heads(folder, BRANCHES, least_agreement=1.0)
    assert "tags" not in bundle.read_manifest(folder).heads


def test_the_command(tiny: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    """`qingyu models add-head` tells how far each head agrees with itself at FP32."""
    folder = tiny("int8")
    assert run(["models", "add-head", str(folder), str(BRANCHES), "--min-agreement", "0"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in HEADS)
