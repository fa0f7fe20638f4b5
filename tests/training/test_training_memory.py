"""Less memory for the same training: layers computed again, batches in parts, averaged weights."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training recipe needs PyTorch")

from training import export, pretrain  # noqa: E402
from training.errors import RecipeError  # noqa: E402
from training.loop import Trainer  # noqa: E402
from training.model import Config, Model  # noqa: E402

FACTS = Path(pretrain.__file__).with_name("facts.tsv")


def batch(seed: int, rows: int = 4) -> tuple[torch.Tensor, ...]:  # type: ignore[name-defined]
    """ids, doc, pos [rows, 16], where [rows * 2], targets [rows * 2]."""
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 100, (rows, 16), generator=random)
    pos = torch.arange(16).expand_as(ids)
    where = torch.arange(0, rows * 16, 8)
    return ids, torch.ones_like(ids), pos, where, ids.flatten()[where]


def started(folder: Path, *options: str) -> Trainer:
    """A trainer of a tiny model that is the same each time."""
    args = pretrain.options().parse_args(
        ["--tiny", "--tokenizer", str(folder), "--source", f"{FACTS}=1,facts", "--steps", "4",
         "--out", str(folder / "out"), *options]
    )  # fmt: skip
    pretrain.settle(args)
    return Trainer(Model(Config(vocab_size=100).tiny()), args, folder)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_layers_computed_again_change_nothing(tmp_path: Path, dropout: float) -> None:
    """Losses and weights after three steps are the same to the last bit, dropout included."""
    ends = []
    for options in ((), ("--recompute",)):
        trainer = started(tmp_path, *options)
        trainer.model.set_dropout(dropout)
        losses = []
        for seed in range(3):
            loss = trainer.model.mlm_loss(*batch(seed))
            trainer.update({"mlm": loss})
            losses.append(loss.item())
        ends.append((losses, trainer.model.state_dict()))
    assert ends[0][0] == ends[1][0]
    assert all(torch.equal(ends[0][1][name], ends[1][1][name]) for name in ends[0][1])


def test_a_batch_in_parts_teaches_as_the_whole(tmp_path: Path) -> None:
    """Gradients of two halves added up give the step that both give together."""
    parts = [part.chunk(2) for part in batch(7)[:3]]
    *_, where, targets = batch(7)
    whole = started(tmp_path)
    halves = started(tmp_path, "--accumulate", "2")
    for one in (whole, halves):
        one.model.set_dropout(0.0)
    whole.update({"mlm": whole.model.mlm_loss(*batch(7))})
    for half in (0, 1):
        rows = [part[half] for part in parts]
        asked = where.chunk(2)[half] - half * rows[0].numel()
        halves.update({"mlm": halves.model.mlm_loss(*rows, asked, targets.chunk(2)[half])})
    assert whole.schedule.step == halves.schedule.step == 1
    ours, theirs = whole.model.state_dict(), halves.model.state_dict()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)


def test_averaged_weights_are_what_is_written(tmp_path: Path, vocabulary: Path) -> None:
    """With --average a mean over the steps is written, and a resumed run goes on with it."""
    trainer = started(vocabulary, "--average", "0.5", "--out", str(tmp_path / "out"))
    name = "bert.encoder.layer.0.output.dense.weight"
    seen = []
    for seed in range(2):
        trainer.update({"mlm": trainer.model.mlm_loss(*batch(seed))})
        seen.append(trainer.model.state_dict()[name].clone())
    trainer.finish()
    written = export.load(tmp_path / "out").state_dict()[name]
    assert torch.allclose(written, 0.5 * seen[0] + 0.5 * seen[1], atol=1e-3)
    again = started(vocabulary, "--average", "0.5", "--resume", "--out", str(tmp_path / "out"))
    assert again.averaged is not None
    assert trainer.averaged is not None
    assert torch.equal(again.averaged.state_dict()[f"module.{name}"],
                       trainer.averaged.state_dict()[f"module.{name}"])  # fmt: skip


@pytest.mark.parametrize("options", [("--accumulate", "0"), ("--average", "1")])
def test_values_out_of_range_are_refused(tmp_path: Path, options: tuple[str, str]) -> None:
    """One clear error before anything is trained."""
    with pytest.raises(RecipeError, match="--accumulate is 1 or more"):
        started(tmp_path, *options)
