"""Make a model yours: go on from a checkpoint on your own lines, your own labelled CSV, or both.

    python -m training.adapt --from final --out mine --lines tickets.txt --minutes 480
    python -m training.adapt --from final --out mine --csv train.csv --minutes 30
    qingyu build mine --out mine-bundle

A CPU overnight or a GPU in minutes. What the model could do before is held in place: at every step
a frozen copy of the starting model answers the same texts, and the heads that are not being
trained (and fill-mask, when only a CSV is given) are pulled towards its answers (learning without
forgetting, Li and Hoiem 2016). Out of a CSV a tenth is set aside, chosen by the text itself, and
scored at the end.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from training import export
from training.errors import RecipeError, run
from training.finetune import collate, label_loss
from training.hold import Padded, soft_loss
from training.labelled import Example, read_csv
from training.loop import Trainer, autocast, common_options, settle, trainer_options
from training.model import HeadSpec, Model, positions
from training.pretrain import Batch, MlmBatches, lines_recipe

SET_ASIDE = 10  # one text in so many


def split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Training and set-aside examples. Equal texts always fall on the same side."""

    def aside(item: Example) -> bool:
        digest = hashlib.sha256(str(item.first).encode()).digest()
        return digest[0] % SET_ASIDE == 0

    return [e for e in examples if not aside(e)], [e for e in examples if aside(e)]


def shuffled(examples: Sequence[Example], seed: int) -> Iterator[Example]:
    """Endless epochs of the examples, each in an order of its own."""
    rng = random.Random(seed)
    while True:
        yield from rng.sample(examples, len(examples))


class Adaptation:
    """The model that learns, and a frozen copy of what it was, to whose answers it is held.

    Each batch goes through each of the two once. `head` is the head being trained, if any.
    """

    def __init__(self, model: Model, head: str | None) -> None:
        self.model, self.head = model, head
        self.before = copy.deepcopy(model).eval().requires_grad_(False)
        self.kept = [name for name in model.specs if name != head]

    def lines(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Losses on packed masked rows of text. A text head sees the first text of each row."""
        inputs = (batch.ids, batch.doc, batch.pos, torch.zeros_like(batch.ids))
        hidden = self.model.bert(*inputs)
        losses = {"mlm": self.model.word_loss(hidden, batch.where, batch.targets)}
        return losses | self._hold("kept_on_lines", hidden, inputs, words=False)

    def table(self, padded: Padded, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Losses on labelled texts; without a text file, their words are held to as well."""
        ids, mask, types = padded
        inputs = (ids, mask, positions(ids), types)
        hidden = self.model.bert(*inputs)
        assert self.head is not None
        losses = {self.head: label_loss(self.model.heads[self.head](hidden), labels)}
        return losses | self._hold("kept", hidden, inputs, words=self.model.words)

    def _hold(
        self, name: str, hidden: torch.Tensor, inputs: Sequence[torch.Tensor], words: bool
    ) -> dict[str, torch.Tensor]:
        """Mean divergence of the other heads, and of a fifth of the words, from what they were."""
        if not self.kept and not words:
            return {}
        with torch.no_grad():
            old = self.before.bert(*inputs)
        real = inputs[1] > 0
        losses = []
        for head in self.kept:
            theirs, ours = self.before.heads[head](old), self.model.heads[head](hidden)
            if self.model.specs[head].level == "token":
                theirs, ours = theirs[real], ours[real]
            losses.append(soft_loss(ours, theirs))
        if words:
            asked = real & (torch.rand(real.shape, device=real.device) < 0.2)
            asked[:, 0] = True  # [CLS], so that a short batch asks for something too
            theirs = self.before.mlm_logits(old[asked])
            losses.append(soft_loss(self.model.mlm_logits(hidden[asked]), theirs))
        return {name: torch.stack(losses).mean()}


def accuracy(
    model: Model, head: str, tokenizer: Tokenizer, examples: Sequence[Example], length: int
) -> float:
    """Share of the examples that the head gets right."""
    device = next(model.parameters()).device
    right = 0
    for at in range(0, len(examples), 32):
        padded, labels = collate(tokenizer, examples[at : at + 32], length, device)
        with torch.inference_mode():
            right += int((model.head_logits(head, *padded).argmax(-1) == labels).sum())
    return right / len(examples)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Go on from a checkpoint on your own data.")
    common_options(parser, lr=5e-5, batch=16)
    trainer_options(parser)
    parser.add_argument(
        "--from", dest="start", type=Path, required=True, help="checkpoint directory"
    )
    parser.add_argument("--lines", type=Path, help="your text, UTF-8, one text a line")
    parser.add_argument(
        "--csv", type=Path, help="your labelled texts: columns text, label (and text2)"
    )
    parser.add_argument(
        "--head", default="task", help="name of the head the CSV trains (%(default)s)"
    )
    parser.add_argument("--length", type=int, default=128, help="tokens a text (%(default)s)")
    parser.add_argument("--dropout", type=float, default=0.1)
    return parser


def main(argv: Sequence[str] | None = None) -> float | None:
    """Run; returns the set-aside accuracy where a CSV was given."""
    args = options().parse_args(argv)
    settle(args)
    if args.tiny:
        args.length = min(args.length, 32)
    if not args.lines and not args.csv:
        raise RecipeError("nothing to learn from: give --lines, --csv or both")
    model = export.load(args.start)
    if args.lines and not model.words:
        raise RecipeError(f"{args.start}: has no masked-language-model head for --lines to train")
    tokenizer_file = args.start / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(tokenizer_file))

    training: list[Example] = []
    aside: list[Example] = []
    if args.csv:
        known = model.specs.get(args.head)
        examples, names = read_csv(args.csv, known.labels if known else None)
        training, aside = split(examples)
        if not training:
            raise RecipeError(f"{args.csv}: too few rows to train on ({len(examples)})")
        if known is None:
            model.add_head(args.head, HeadSpec(names))
    adaptation = Adaptation(model, args.head if args.csv else None)
    model.set_dropout(args.dropout)
    trainer = Trainer(model, args, args.start)
    adaptation.before.to(trainer.device)
    rows = shuffled(training, args.seed + trainer.schedule.step)
    text = None
    if args.lines:
        recipe = lines_recipe(args.lines, tokenizer_file, args.batch * args.length, args.seed)
        text = MlmBatches(recipe, args.batch, args.length, trainer.place, device=trainer.device)

    while trainer.running():
        losses: dict[str, torch.Tensor] = {}
        with autocast(trainer.device):
            if text is not None:
                losses |= adaptation.lines(next(text))
            if training:
                drawn = [next(rows) for _ in range(args.batch)]
                losses |= adaptation.table(*collate(tokenizer, drawn, args.length, trainer.device))
        trainer.update(losses)
    trainer.finish()
    if not aside:
        return None
    score = accuracy(model, args.head, tokenizer, aside, args.length)
    print(f"{args.head}: {score:.3f} of {len(aside)} rows set aside are right")
    return score


if __name__ == "__main__":
    run(main)
