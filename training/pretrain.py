"""Masked-language-model training, from nothing or from a checkpoint.

    python -m training.pretrain --tokenizer vocab --out run1 --minutes 60 \\
        --source general.txt=0.82 --source emphasis.txt=0.08 --source idioms.txt=0.03,idioms \\
        --source idiom_contexts.tsv=0.05,contexts --source training/facts.tsv=0.02,facts \\
        --held-out valid.txt
    python -m training.pretrain --from run1 --out run2 --minutes 60 --lr 4e-4 --source ...

On CUDA: bf16 and torch.compile. The last `--long` of the run reads rows of 512 tokens in which
neighbouring lines are joined, so that the positions beyond 256 are trained too.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training import export
from training.data import Mixture, Recipe, Rows
from training.errors import RecipeError, run
from training.loop import Trainer, autocast, common_options, compiled, settle, trainer_options
from training.masking import Special, mask
from training.model import Config, Model, parameters
from training.sources import Source
from training.templates import KINDS

Part = tuple[int, Rows, np.ndarray]  # number, rows holding the masked inputs, targets


class Parts(IterableDataset[Part]):
    """Masked parts from `first` on, in order, made by any number of worker processes."""

    def __init__(self, recipe: Recipe, first: int, length: int, joined: bool) -> None:
        self.recipe, self.first, self.length, self.joined = recipe, first, length, joined

    def __iter__(self) -> Iterator[Part]:
        worker = get_worker_info()
        offset, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        mixture = Mixture(self.recipe)
        special = Special.of(mixture.tokenizer.get_vocab())
        for number in itertools.count(self.first + offset, stride):
            rows = mixture.part(number, self.length, self.joined)
            rng = np.random.default_rng([self.recipe.seed, number, 1])
            inputs, targets = mask(
                rows,
                special,
                rng,
                self.recipe.mask_rate,
                self.recipe.span_share,
                self.recipe.whole_words,
            )
            yield number, replace(rows, ids=inputs), targets


class Batch(NamedTuple):
    """Arguments of Model.mlm_loss, all int64 on the device."""

    ids: torch.Tensor
    doc: torch.Tensor
    pos: torch.Tensor
    where: torch.Tensor
    targets: torch.Tensor


def to_batch(rows: Rows, targets: np.ndarray, rate: float, device: torch.device) -> Batch:
    """A slice of a part on the device. `where` always has one length, so nothing recompiles."""
    asked = np.flatnonzero(targets)
    room = len(rows) * max(1, round(rate * targets.shape[1]))
    where, answer = np.zeros(room, np.int64), np.full(room, -100, np.int64)
    where[: len(asked)] = asked[:room]
    answer[: len(asked)] = targets.reshape(-1)[asked[:room]]
    arrays = (rows.ids, rows.doc, rows.pos, where, answer)
    return Batch(
        *(
            torch.from_numpy(array.astype(np.int64)).to(device, non_blocking=True)
            for array in arrays
        )
    )


class MlmBatches:
    """Endless batches of full size, beginning at `place` and keeping it up to date for a resume.

    `place` is {"part": the part being read, "row": the next row of it}. The rows that are left over
    at a part's end, fewer than a batch, are dropped.
    """

    def __init__(
        self, recipe: Recipe, rows: int, length: int, place: dict[str, int], *,
        workers: int = 0, joined: bool = False, device: torch.device | None = None,
    ) -> None:  # fmt: skip
        self.recipe, self.rows, self.place = recipe, rows, place
        self.device = device or torch.device("cpu")
        place.setdefault("part", 0)
        place.setdefault("row", 0)
        self._parts = iter(
            DataLoader(
                Parts(recipe, place["part"], length, joined),
                batch_size=None,
                num_workers=workers,
                multiprocessing_context="spawn" if workers else None,
                collate_fn=_as_is,
            )
        )
        self._part: Part | None = None

    def __iter__(self) -> MlmBatches:
        return self

    def __next__(self) -> Batch:
        for _ in range(8):  # a part smaller than a batch gives nothing: eight in a row is a mistake
            if self._part is None:
                self._part = next(self._parts)
                self.place["part"] = self._part[0]
            _, rows, targets = self._part
            start = self.place["row"]
            if start + self.rows <= len(rows):
                self.place["row"] += self.rows
                taken = slice(start, start + self.rows)
                return to_batch(
                    rows.take(taken), targets[taken], self.recipe.mask_rate, self.device
                )
            self._part = None
            self.place["part"] += 1
            self.place["row"] = 0
        raise RecipeError(f"a part holds {len(rows)} rows, fewer than a batch of {self.rows}")


def _as_is(part: Part) -> Part:
    return part


def text_options(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The options that say what text to read."""
    parser.add_argument(
        "--source", action="append", type=Source.parse, default=[], required=required,
        help="PATH, PATH=WEIGHT or PATH=WEIGHT,KIND (" + ", ".join(KINDS) + "); repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--held-out", action="append", type=Path, default=[],
        help="a file whose text is never trained on, wherever it turns up; may be repeated",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare text")
    parser.add_argument(
        "--mask-rate", type=float, default=Recipe.mask_rate, help="share to guess (%(default)s)"
    )
    parser.add_argument(
        "--span-share", type=float, default=Recipe.span_share,
        help="share of rows that hide runs, not single tokens (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--whole-words", action="store_true",
        help="runs are whole words, of jieba's list, not a few tokens by chance",
    )  # fmt: skip


def text_recipe(args: argparse.Namespace, tokenizer: Path, batch_tokens: int) -> Recipe:
    """The recipe of the text options."""
    return Recipe(
        sources=tuple(args.source),
        tokenizer=str(tokenizer),
        held_out=tuple(map(str, args.held_out)),
        seed=args.seed,
        part_bytes=part_bytes(batch_tokens),
        mask_rate=args.mask_rate,
        span_share=args.span_share,
        whole_words=args.whole_words,
    )


def lines_recipe(path: Path, tokenizer: Path, batch_tokens: int, seed: int) -> Recipe:
    """The recipe that reads one file of plain lines."""
    source = Source.parse(str(path))
    return Recipe((source,), str(tokenizer), seed=seed, part_bytes=part_bytes(batch_tokens))


def part_bytes(batch_tokens: int) -> int:
    """Text for some 32 batches, at most 16 MB."""
    return min(16 << 20, 32 * 3 * batch_tokens)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Masked-language-model training, from nothing or from a checkpoint."
    )
    common_options(parser, lr=7e-4, batch=768)
    trainer_options(parser)
    text_options(parser)
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--from", dest="start", type=Path, help="checkpoint directory to go on from")
    start.add_argument("--tokenizer", type=Path, help="folder of training.vocab, for a new model")
    parser.add_argument("--length", type=int, default=256, help="tokens a row (%(default)s)")
    parser.add_argument("--long", type=float, default=0.1, help="share of the run at full length")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument(
        "--freeze", type=int, default=0, metavar="N",
        help="leave the embeddings and the first N layers as they are, for training.words",
    )  # fmt: skip
    for name, value in (("layers", 8), ("hidden", 512), ("heads", 8), ("intermediate", 2048)):
        parser.add_argument(
            f"--{name}", type=int, default=value, help="of a new model (%(default)s)"
        )
    return parser


def new_model(args: argparse.Namespace) -> Model:
    vocab = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json")).get_vocab_size()
    config = Config(
        vocab_size=vocab,
        hidden_size=args.hidden,
        num_hidden_layers=args.layers,
        num_attention_heads=args.heads,
        intermediate_size=args.intermediate,
    )
    return Model(config.tiny() if args.tiny else config)


def main(argv: Sequence[str] | None = None) -> None:
    args = options().parse_args(argv)
    settle(args)
    if args.tiny:
        args.length = min(args.length, 64)
    folder = args.start or args.tokenizer
    model = export.load(args.start) if args.start else new_model(args)
    model.set_dropout(args.dropout)
    if not 0 <= args.freeze < model.config.num_hidden_layers:
        raise RecipeError(f"--freeze {args.freeze}: one layer at least must learn")
    if args.freeze:
        model.freeze(args.freeze)
    print(f"{parameters(model):,} parameters")
    trainer = Trainer(model, args, folder)
    recipe = text_recipe(args, folder / "tokenizer.json", args.batch * args.length)
    loss = compiled(model.mlm_loss, trainer.device)

    longest = min(model.config.max_position_embeddings, 2 * args.length if args.tiny else 512)
    phases = ((args.length, 1 - args.long, False), (longest, 1.0, True))
    for length, until, joined in phases:
        if not trainer.running() or trainer.schedule.progress() >= until:
            continue
        rows = max(1, args.batch * args.length // length)  # as many tokens a step as before
        batches = MlmBatches(
            recipe, rows, length, trainer.place, workers=args.workers, joined=joined,
            device=trainer.device,
        )  # fmt: skip
        while trainer.running() and trainer.schedule.progress() < until:
            with autocast(trainer.device):
                value = loss(*next(batches))
            trainer.update({"mlm": value})
        trainer.place |= {"part": trainer.place["part"] + 1, "row": 0}  # the next phase cuts anew
    trainer.finish()


if __name__ == "__main__":
    run(main)
