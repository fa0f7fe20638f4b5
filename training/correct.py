"""Train the correction head: layers of its own on the rows of a frozen encoder.

    python -m training.correct --from checkpoint --out heads/correct --minutes 75 \\
        --source corpus/general.txt=0.5 --source corpus/extra.txt=0.5 \\
        --real csc/sighan_train.jsonl --real csc/ecspell_law_train.jsonl \\
        --held-out csc/sighan14_dev.jsonl

The head reads the rows after shared layer `--branch` through copies of the layers above it. At
every position it says whether something is wrong there, and by the masked-language-model
transform and the tied table of words what was meant. Written: OUT/heads.safetensors (FP16) and
OUT/heads.json; OUT.state.pt holds what `--resume` needs.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import jieba
import numpy as np
import torch
import torch.nn.functional as nnf
from tokenizers import Tokenizer
from torch import Tensor, nn

from qingyu.text.sounds_and_shapes import SoundsAndShapes
from training import export, loop
from training.branch import write_heads
from training.correction_data import Batch, Sentences, counted, real_pairs
from training.errors import RecipeError, run
from training.mistakes import Mistakes
from training.model import Model
from training.thaw import own_layers

NAME, DETECT = "correct", "detect"


class CorrectionHead(nn.Module):
    """Own layers, then one logit a position (is it wrong?) and the words that were meant."""

    def __init__(self, model: Model, branch: int) -> None:
        super().__init__()
        self.layer = copy.deepcopy(nn.ModuleList(model.bert.encoder.layer[branch:]))
        self.transform = copy.deepcopy(model.cls.predictions.transform)
        self.bias = nn.Parameter(model.cls.predictions.bias.detach().clone())
        self.classifier = nn.Linear(model.config.hidden_size, 1)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.constant_(self.classifier.bias, -3.5)  # about the share of characters in error

    def rows(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Rows of the shared layer [B, L, H] to the head's own [B, L, H]."""
        with loop.autocast(hidden.device):
            for layer in self.layer:
                hidden = layer(hidden, mask, None)
        return hidden.float()

    def wrong(self, rows: Tensor) -> Tensor:
        """Logits [B, L] that something is wrong."""
        return self.classifier(rows).squeeze(-1)

    def meant(self, rows: Tensor, table: Tensor) -> Tensor:
        """Logits [N, V] of what was meant, for rows [N, H]."""
        return nnf.linear(self.transform(rows), table, self.bias)

    def tensors(self) -> dict[str, Tensor]:
        """Under the names of a checkpoint, FP16."""
        return {named(name): t.half().contiguous() for name, t in self.state_dict().items()}

    def thawed(self, bundle: Path) -> None:
        """Take the weights of the head that a bundle has. Raises RecipeError where it has none, or
        one of another shape.
        """
        found = own_layers(bundle, NAME)
        for name, parameter in self.named_parameters():
            tensor = found.get(named(name))
            if tensor is None or tensor.shape != parameter.shape:
                shape = tuple(parameter.shape)
                raise RecipeError(f"{bundle}: its head has no {named(name)} {shape}")
            parameter.data.copy_(tensor)


def named(parameter: str) -> str:
    """What a checkpoint calls a parameter of the head."""
    own = f"encoder.{parameter}" if parameter.startswith("layer.") else parameter
    return f"heads.{NAME}.{own}"


@torch.no_grad()
def shared(model: Model, ids: Tensor, branch: int) -> tuple[Tensor, Tensor]:
    """Rows after a shared layer [B, L, H], and the mask [B, 1, 1, L] of what may be attended to."""
    bert = model.bert
    pos = torch.arange(ids.shape[1]).expand_as(ids)
    mask = (ids != 0)[:, None, None, :]
    with loop.autocast(ids.device):
        hidden = bert.embeddings(ids, pos, torch.zeros_like(ids))
        for layer in bert.encoder.layer[:branch]:
            hidden = layer(hidden, mask, None)
    return hidden, mask


def losses(model: Model, head: CorrectionHead, batch: Batch, branch: int) -> dict[str, Tensor]:
    """Both losses a mistake: of finding it among all positions, and of saying what was meant."""
    ids, wrong, meant = (torch.from_numpy(a) for a in (batch.ids, batch.wrong, batch.meant))
    rows = head.rows(*shared(model, ids, branch))
    asked = wrong >= 0
    found = nnf.binary_cross_entropy_with_logits(
        head.wrong(rows)[asked], wrong[asked], reduction="sum"
    )
    where = meant >= 0
    scores = head.meant(rows[where], model.bert.embeddings.word_embeddings.weight)
    number = max(8, int(where.sum()))
    said = nnf.cross_entropy(scores, meant[where], reduction="sum")
    return {"found": found / number, "said": said / number}


def save(head: CorrectionHead, out: Path, branch: int) -> None:
    """The head as it is, in place of an older one only once it is whole."""
    entries = {
        NAME: {"kind": "correction", "labels": [], "branch": branch},
        DETECT: {"kind": "detection", "labels": ["wrong"], "branch": branch, "layers_of": NAME},
    }
    write_heads(head.tensors(), entries, out)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    loop.common_options(parser, lr=4e-4, batch=1024)
    parser.add_argument("--from", dest="start", type=Path, required=True, help="checkpoint")
    parser.add_argument("--bundle", type=Path, help="go on from the head that this bundle has")
    parser.add_argument("--source", action="append", required=True, metavar="PATH=SHARE")
    parser.add_argument("--real", action="append", type=Path, default=[], metavar="JSONL")
    parser.add_argument("--held-out", action="append", type=Path, default=[], metavar="JSONL")
    parser.add_argument("--branch", type=int, default=6, help="shared layer read (%(default)s)")
    args = parser.parse_args(arguments)
    loop.settle(args)
    model = export.load(args.start).eval().requires_grad_(False)
    if not 0 < args.branch < len(model.bert.encoder.layer):
        raise RecipeError(f"--branch {args.branch}: the encoder has no layer to copy above it")
    sentences = sources(args)
    head = CorrectionHead(model, args.branch).requires_grad_(True)
    if args.bundle is not None:
        head.thawed(args.bundle)
    model.set_dropout(0.0)
    head.train()
    loop.cast_frozen(model.bert.encoder.layer)
    train(model, head, sentences, args)


def sources(args: argparse.Namespace) -> Sentences:
    """The sentences that the options ask for."""
    held_out = {right for path in args.held_out for pair in real_pairs(path) for right in pair}
    real = [pair for path in args.real for pair in real_pairs(path, held_out)]
    general = [
        (Path(path), float(share))
        for path, _, share in (source.rpartition("=") for source in args.source)
    ]
    jieba.initialize()
    words = Counter({w: n for w, n in jieba.dt.FREQ.items() if n and len(w) == 2})
    mistakes = Mistakes(SoundsAndShapes.read(), counted([path for path, _ in general]), words, real)
    tokenizer = Tokenizer.from_file(str(args.start / "tokenizer.json"))
    return Sentences(general, real, mistakes, tokenizer, args.seed)


def train(
    model: Model, head: CorrectionHead, sentences: Sentences, args: argparse.Namespace
) -> None:
    """Until the schedule ends; the state and the head are written every few minutes."""
    matrices = [p for p in head.parameters() if p.ndim > 1]
    vectors = [p for p in head.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}],
        lr=args.lr, betas=(0.9, 0.98), eps=1e-6,
    )  # fmt: skip
    schedule = loop.Schedule(args.minutes, args.steps)
    state_path = args.out.with_name(f"{args.out.name}.state.pt")
    group = seen = 0
    if args.resume:
        state = torch.load(state_path, map_location="cpu", weights_only=True)
        head.load_state_dict(state["head"])
        optimiser.load_state_dict(state["optimiser"])
        group, seen = state["group"], state["seen"]
        schedule = loop.Schedule(args.minutes, args.steps, state["step"], state["spent_s"])
    told: list[list[float]] = []
    saved = time.monotonic()
    while schedule.progress() < 1:
        for batch in sentences.group(group, args.batch):
            if schedule.progress() >= 1:
                break
            for options in optimiser.param_groups:
                options["lr"] = args.lr * schedule.rate()
            parts = losses(model, head, batch, args.branch)
            torch.stack(list(parts.values())).sum().backward()
            nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            schedule.step += 1
            seen += int(np.count_nonzero(batch.ids))
            told.append([float(part.detach()) for part in parts.values()])
            if schedule.step % 50 == 0:
                means = np.mean(told, axis=0)
                print(
                    f"step {schedule.step}  {schedule.progress():.1%}  {schedule.elapsed_s():.0f} s"
                    f"  {seen} tokens  found {means[0]:.3f}  said {means[1]:.3f}",
                    flush=True,
                )
                told.clear()
        group += 1
        if time.monotonic() - saved > loop.SAVE_EVERY_S or schedule.progress() >= 1:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            state = {"head": head.state_dict(), "optimiser": optimiser.state_dict(),
                     "group": group, "seen": seen, "step": schedule.step,
                     "spent_s": schedule.elapsed_s()}  # fmt: skip
            partial = state_path.with_name(state_path.name + ".part")
            torch.save(state, partial)
            partial.replace(state_path)
            save(head, args.out, args.branch)
            saved = time.monotonic()


if __name__ == "__main__":
    run(main)
