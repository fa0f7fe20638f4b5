"""First-order importance: the derivatives are right, and they choose better than magnitude."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qingyu.build.families.encoder import Encoder
from qingyu.build.families.registry import family
from qingyu.build.heads import Classifier, Head
from qingyu.build.parts import Linear
from qingyu.build.pipeline import Options, build
from qingyu.build.shrink import prune
from qingyu.build.shrink.gradient import Layer, forward, loss_by_rows
from qingyu.build.shrink.importance import importances, layer_of
from qingyu.build.shrink.prune import Pruning
from qingyu.build.sources.checkpoint import Checkpoint, read_checkpoint
from qingyu.bundle import Manifest
from qingyu.engine.network import Network
from qingyu.errors import BuildError
from qingyu.query import Query

GOLDEN = Path(__file__).parents[1] / "golden"
CHECKPOINTS = GOLDEN / "checkpoints"
TEXTS = ["今天天气真好。", "他在北京工作，住在海边。"]
MASKED_LM = ("bert-masked-lm", "roberta-masked-lm", "distilbert-masked-lm", "electra-masked-lm")
ROWS = np.array([1, 3])
STEP = 1e-5


def opened(name: str) -> tuple[Checkpoint, Encoder]:
    checkpoint = read_checkpoint(CHECKPOINTS / name)
    model = family(checkpoint.config, checkpoint.weights)
    assert isinstance(model, Encoder)
    return checkpoint, model


def doubled(part: Any) -> Any:
    """A linear or a norm with numbers fine enough for differences."""

    def finer(read: Callable[[], Any] | None) -> Callable[[], Any] | None:
        return read and (lambda: read().astype(np.float64))

    readers = {key: finer(read) for key, read in vars(part).items() if key.startswith("read")}
    return replace(part, **readers)


def double(layer: Layer) -> Layer:
    parts = {key: doubled(value) for key, value in vars(layer).items() if hasattr(value, "name")}
    return replace(layer, **parts)


def scaled(linear: Linear, columns: np.ndarray[Any, Any], by: float) -> Linear:
    """As if what comes in through these columns were larger."""
    matrix = linear.matrix.copy()
    matrix[:, columns] *= by
    return replace(linear, read=lambda: matrix)


def loss_of(layers: list[Layer], head: Head, x: np.ndarray[Any, Any], truth: Any) -> float:
    for layer in layers:
        x = forward(layer, x).output
    return loss_by_rows(head, x[ROWS], truth)[0]


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("bert-masked-lm", "gelu"),
        ("bert-masked-lm", "gelu_tanh"),
        ("ernie-masked-lm", "relu"),
        ("bert-masked-lm", "tanh"),
        ("bert-nli", "gelu"),
        ("bert-ner", "gelu"),
        ("bert-multi-label", "gelu"),
        ("bert-regression", "gelu"),
    ],
)
def test_derivatives_are_those_of_differences(name: str, activation: str) -> None:
    """Making a head or a unit a little stronger moves the loss by just its derivative, under
    every activation and through every kind of head.
    """
    _, model = opened(name)
    head = next(model.heads())
    parts = {key: doubled(part) for key, part in vars(head.write).items() if hasattr(part, "name")}
    arrays = vars(doubled(head.write)) if not isinstance(head.write, Classifier) else {}
    head = replace(head, write=replace(head.write, **(arrays | parts)))  # type: ignore[type-var]
    layers = [replace(double(layer_of(model, i)), activation=activation) for i in range(2)]
    x = np.random.default_rng(1).standard_normal((6, model.hidden))
    truth = np.array([7, 9]) if head.kind == "masked-lm" else None
    first = forward(layers[0], x)
    second = forward(layers[1], first.output)
    given = np.zeros_like(x)
    _, given[ROWS] = loss_by_rows(head, second.output[ROWS], truth)
    by_first, _, _ = second.back(given)
    _, by_mixed, by_units = first.back(by_first)
    width = model.head_width
    for part, columns, values, by in [
        ("attended", np.arange(width, 2 * width), first.mixed, by_mixed),
        ("outer", np.array([5]), first.units, by_units),
    ]:
        told = (values * by)[:, columns].sum()
        losses = []
        for step in (STEP, -STEP):
            moved = replace(
                layers[0], **{part: scaled(getattr(layers[0], part), columns, 1 + step)}
            )
            losses.append(loss_of([moved, layers[1]], head, x, truth))
        assert (losses[0] - losses[1]) / (2 * STEP) == pytest.approx(told, rel=1e-3, abs=1e-8)
        assert told != 0


@pytest.mark.parametrize("name", MASKED_LM)
def test_the_layers_are_those_of_the_graph(name: str, built: Callable[..., Manifest]) -> None:
    """What is differentiated is the model: hidden states are the FP32 graph's."""
    from qingyu.build.shrink import importance

    checkpoint, model = opened(name)
    ids = np.array([3, 20, 30, 40, 5, 60, 4])
    zeros, positions = np.zeros_like(ids), np.arange(len(ids))
    manifest = built(name)
    _, embed = importance._inputs(checkpoint, model, _fresh(manifest))
    x = embed.run({"input_ids": ids, "token_type_ids": zeros, "position_ids": positions})
    for index in range(model.layers):
        x = np.asarray(forward(layer_of(model, index), x).output, np.float32)
    (expected,) = Network(manifest).run([Query(ids, zeros, positions)])
    np.testing.assert_allclose(x, expected, atol=1e-4)


def _fresh(manifest: Manifest) -> Path:
    folder = manifest.path.parent / f"{manifest.path.name}-embeddings"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", [*MASKED_LM, "bert-nli", "bert-ner"])
def test_importance_of_every_part(name: str) -> None:
    """Each head and unit of each layer has a number that is not negative, the same each time."""
    checkpoint, model = opened(name)
    found = importances(checkpoint, model, TEXTS)
    again = importances(checkpoint, model, TEXTS)
    assert len(found) == model.layers
    for one, two in zip(found, again, strict=True):
        assert one.heads.shape == (model.heads_per_layer,)
        assert one.units.shape == (model.feed_forward,)
        assert (one.heads >= 0).all()
        assert one.units.max() > 0
        np.testing.assert_array_equal(one.units, two.units)


def test_a_part_that_does_nothing_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of huge weights that are never active lose to quiet useful ones."""
    checkpoint, model = opened("bert-masked-lm")
    names = model.layer_names(0)
    get = type(checkpoint.weights).get

    def deaf(self: Any, name: str, *shape: int) -> Any:
        tensor = get(self, name, *shape)
        if name == f"{names.inner}.weight":
            tensor = tensor.copy()
            tensor[:8] *= 1000
        if name == f"{names.inner}.bias":
            tensor = tensor.copy()
            tensor[:8] = -1e6  # never active
        return tensor

    monkeypatch.setattr(type(checkpoint.weights), "get", deaf)
    found = importances(checkpoint, model, TEXTS)[0].units
    assert found[:8].max() < found[8:].min()
    assert prune._unit_magnitudes(model, names)[:8].min() > 1000


@pytest.mark.parametrize("precision", ["fp32", "int8", "int4", "fp16"])
def test_it_goes_with_every_cut_and_precision(precision: str, tmp_path: Path) -> None:
    """Layers, heads, units, positions and words together, chosen by a file of texts."""
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(TEXTS), "utf-8")
    cuts = Pruning((1,), heads=3, feed_forward=40, positions=64, importance=texts)
    options = Options(precision, measure=False, min_agreement=0, pruning=cuts)
    manifest = build(CHECKPOINTS / "bert-masked-lm", tmp_path / "out", options).manifest
    sizes = manifest.sizes
    assert (sizes.num_layers, sizes.num_heads, sizes.intermediate_size) == (1, 3, 40)
    ids = np.array([3, 20, 30, 4])
    states = Network(manifest).run([Query(ids, np.zeros_like(ids), np.arange(4))])[0]
    assert np.isfinite(states).all()


@pytest.mark.parametrize(
    ("name", "cuts", "text", "why"),
    [
        ("bert-masked-lm", {"layers": (0,)}, "天气\n很好\n", "--importance"),
        ("bert-encoder", {"heads": 2}, "天气\n很好\n", "no head"),
        ("bert-masked-lm", {"heads": 2}, "\n", "sample file"),
    ],
)
def test_what_cannot_be_judged(
    name: str, cuts: dict[str, Any], text: str, why: str, tmp_path: Path
) -> None:
    """Nothing to choose among, no loss to differentiate, no text: one clear error each."""
    texts = tmp_path / "texts.txt"
    texts.write_text(text, "utf-8")
    options = Options("int8", measure=False, pruning=Pruning(**cuts, importance=texts))
    with pytest.raises(BuildError, match=why):
        build(CHECKPOINTS / name, tmp_path / "out", options)
    assert list(tmp_path.iterdir()) == [texts]
