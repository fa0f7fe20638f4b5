"""A bundle turned back into a checkpoint is the model it was built from.

Needs PyTorch and onnx: skipped where they cannot be imported.
"""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training recipe needs PyTorch")
pytest.importorskip("onnx", reason="building a bundle needs onnx")

from training import export, thaw  # noqa: E402
from training.errors import RecipeError  # noqa: E402
from training.model import Config, HeadSpec, Model  # noqa: E402

HEADS = {
    "nli": HeadSpec(("entailment", "neutral", "contradiction")),
    "ner": HeadSpec(("O", "B-LOC", "I-LOC"), "token"),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, vocabulary: Path) -> Path:
    """A small random model with two heads and biases everywhere."""
    torch.manual_seed(0)
    size = len((vocabulary / "vocab.txt").read_text(encoding="utf-8").split())
    model = Model(Config(vocab_size=size, initializer_range=0.2).tiny(), HEADS)
    for name, tensor in model.named_parameters():
        if name.endswith("bias") or "LayerNorm" in name:
            tensor.data += 0.1 * torch.randn_like(tensor)
    out = tmp_path_factory.mktemp("thaw") / "checkpoint"
    export.save(model, vocabulary, out)
    return out


def built(checkpoint: Path, out: Path, precision: str) -> Path:
    from qingyu.build.pipeline import Options, build

    build(checkpoint, out, Options(precision=precision, measure=False, min_agreement=0.0))
    return out


def test_an_fp32_bundle_gives_every_weight_back(checkpoint: Path, tmp_path: Path) -> None:
    """Nothing but the layout changed in an FP32 bundle, so everything comes back exactly."""
    bundle = built(checkpoint, tmp_path / "bundle", "fp32")
    thaw.main([str(bundle), "--out", str(tmp_path / "back")])
    before, after = export.load(checkpoint), export.load(tmp_path / "back")
    assert after.specs == before.specs
    assert after.config.num_attention_heads == before.config.num_attention_heads
    expected = before.state_dict()
    assert expected.keys() == after.state_dict().keys()
    for name, tensor in after.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_an_int8_bundle_comes_back_but_for_rounding(checkpoint: Path, tmp_path: Path) -> None:
    """Scales, fixed steps and GELU's floor are undone: a step is the most that is lost."""
    bundle = built(checkpoint, tmp_path / "bundle", "int8")
    expected = export.load(checkpoint).state_dict()
    for name, tensor in thaw.thaw(bundle).state_dict().items():
        width = expected[name].abs().amax(-1, keepdim=True)
        # A step is a 127th of a row's largest weight; fixed steps of the inputs differ fourfold.
        assert ((tensor - expected[name]).abs() <= width * 4 / 127 + 2e-3).all(), name


def test_a_name_that_is_no_bundle_is_one_clear_error(tmp_path: Path) -> None:
    """What is not there is said in one sentence, as by every step of the recipe."""
    with pytest.raises(RecipeError, match="No model nowhere"):
        thaw.main(["nowhere", "--out", str(tmp_path / "out")])


@pytest.mark.parametrize("precision", ["fp16", "int4"])
def test_other_precisions_are_refused(checkpoint: Path, tmp_path: Path, precision: str) -> None:
    """A bundle that cannot be read back is named, with what can."""
    bundle = built(checkpoint, tmp_path / "bundle", precision)
    with pytest.raises(RecipeError, match="only fp32 and int8"):
        thaw.thaw(bundle)
