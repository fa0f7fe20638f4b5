"""Heads with layers of their own in miniature: trained, resumed, written under known names.

Needs PyTorch: skipped where it cannot be imported.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip(
    "torch", reason="the training recipe needs PyTorch, the package does not"
)
from safetensors.torch import load_file  # noqa: E402

from training import export, head  # noqa: E402
from training.branch import Branch, answered, load  # noqa: E402
from training.errors import RecipeError  # noqa: E402
from training.lessons import cosent, spearman, temperature  # noqa: E402
from training.model import Config, Model, positions  # noqa: E402

NAMES = ["类别", "天气", "音乐", "机票", "发票", "手机", "水果", "电影"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, vocabulary: Path) -> Path:
    """An untrained model of three narrow layers."""
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("runs") / "small"
    config = Config(1600, 64, 3, 2, 128, max_position_embeddings=64)
    export.save(Model(config), vocabulary, out)
    return out


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs, graded pairs and entities, enough for rows to tune on."""
    folder = tmp_path_factory.mktemp("labelled")
    pairs = [
        {"a": f"{x}怎么样{n}", "b": f"{y}怎么样{n}", "label": int(x == y)}
        for n in range(4)
        for x in NAMES
        for y in NAMES[:4]
    ]
    graded = [
        {"a": f"我要{x}{n}", "b": f"想要{x}", "score": n % 6} for n in range(12) for x in NAMES
    ]
    named = [
        {"text": list(f"{n}去北京{x}"), "tags": ["O"] * (len(f"{n}") + 1) + place + ["O"] * len(x)}
        for x in NAMES
        for n in range(12)
        for place in [["B-address", "I-address"]]
    ]
    sets = {"pair/oppo": pairs, "pair/sts_b_zh": graded, "ner/cluener2020": named}
    for name, rows in sets.items():
        (folder / name).mkdir(parents=True)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)  # type: ignore[attr-defined]
        (folder / name / "train.jsonl").write_text(text, "utf-8")
    return folder


def trained(name: str, checkpoint: Path, labelled: Path, out: Path, *more: str) -> head.Training:
    return head.main(
        [name, "--from", str(checkpoint), "--labelled", str(labelled), "--out", str(out),
         "--cache", str(checkpoint.parent / "cache"), "--batch", "4", "--layers", "1",
         "--tuning", "40", *more]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "tensor"),
    [
        ("similar", "sequence-classification", "heads.similar.pooler.weight"),
        ("ner", "token-classification", "heads.entities.classifier.weight"),
        ("embedding", "embedding", "heads.embedding.dense.weight"),
    ],
)
def test_a_head_is_written_with_its_layers(
    name: str, kind: str, tensor: str, checkpoint: Path, labelled: Path, tmp_path: Path
) -> None:
    """Tensors in FP16 under a checkpoint's names, an entry with kind, labels and branch; the
    weights read back are those written."""
    run = trained(name, checkpoint, labelled, tmp_path / name, "--steps", "2")
    weights = load_file(tmp_path / name / "heads.safetensors")
    entries = json.loads((tmp_path / name / "heads.json").read_text("utf-8"))
    assert {tensor, f"heads.{name}.encoder.layer.0.output.dense.weight"} <= set(weights)
    assert all(one.dtype == torch.float16 for one in weights.values())
    assert (entries[name]["kind"], entries[name]["branch"]) == (kind, 2)
    model = export.load(checkpoint)
    again = Branch(model, run.recipe.kind, run.recipe.heads, 1, head.WIDTH)
    load(again, tmp_path / name)
    assert all(torch.equal(t, weights[n]) for n, t in again.tensors().items())


def test_a_resumed_run_ends_like_an_unbroken_one(
    checkpoint: Path, labelled: Path, tmp_path: Path
) -> None:
    """Stopped after three steps of six and resumed: the same weights to the last bit."""
    whole = trained("similar", checkpoint, labelled, tmp_path / "whole", "--steps", "6")
    args = ["similar", "--from", str(checkpoint), "--labelled", str(labelled), "--out",
            str(tmp_path / "parts"), "--cache", str(checkpoint.parent / "cache"), "--batch", "4",
            "--layers", "1", "--tuning", "40", "--steps", "6"]  # fmt: skip
    parsed = head.options().parse_args(args)
    parsed.lr = whole.args.lr
    torch.manual_seed(0)
    half = head.Training(parsed)
    half.evaluate(0.0)
    for _ in range(3):
        half.step()
    half.save_state()
    rest = trained("similar", checkpoint, labelled, tmp_path / "parts", "--steps", "6", "--resume")
    assert rest.schedule.step == 6
    for name, tensor in whole.branch.tensors().items():
        if whole.curve[-1]["score"] == rest.curve[-1]["score"]:
            assert torch.equal(tensor, rest.branch.tensors()[name]), name
    assert whole.curve[-1]["score"] == rest.curve[-1]["score"]
    with pytest.raises(RecipeError, match="no state"):
        trained("similar", checkpoint, labelled, tmp_path / "none", "--steps", "1", "--resume")


def test_the_first_row_alone_is_the_layer_s_first_row(checkpoint: Path) -> None:
    """Computing a layer for [CLS] only gives what the whole layer gives there."""
    model = export.load(checkpoint).eval()
    ids = torch.randint(5, 900, (3, 12))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    with torch.no_grad():
        hidden = model.bert.embeddings(ids, positions(ids), torch.zeros_like(ids))
        seen = mask.bool()[:, None, None, :]
        layer = model.bert.encoder.layer[0]
        whole = layer(hidden, seen, None)[:, :1]
        assert torch.allclose(answered(layer, hidden, seen), whole, atol=1e-6)


def test_scores_and_losses_of_known_values() -> None:
    """Spearman with ties, CoSENT where the order is right and wrong, and a temperature that halves
    logits twice too large."""
    grades = torch.tensor([1.0, 0.0])
    assert (
        cosent(torch.tensor([0.9, 0.1]), grades) < 0.01 < cosent(torch.tensor([0.1, 0.9]), grades)
    )
    assert spearman(torch.tensor([1, 2, 2, 3]).numpy(), torch.tensor([1, 2, 2, 3]).numpy()) == 1.0
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4000, 2, generator=generator)
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
    assert 1.7 < temperature(2 * logits.numpy(), labels.numpy()) < 2.3
