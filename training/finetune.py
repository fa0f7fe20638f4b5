"""All heads at once on one shared encoder, with the masked-language-model loss kept on.

    python -m training.finetune --from run2 --out final --labelled labelled --minutes 15 \\
        --source general.txt=0.9 --source emphasis.txt=0.1 --held-out valid.txt

Each step takes one batch for every head and one packed batch of plain text and adds the losses up:
no head is trained alone for long enough to pull the encoder away from the others, and fill-mask
stays.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as nnf
from tokenizers import Tokenizer

from training import export
from training.data import token_id
from training.errors import RecipeError, run
from training.hold import Hold, Padded
from training.labelled import HEADS, Example, Examples, alike, read_sets
from training.loop import Trainer, autocast, common_options, compiled, settle, trainer_options
from training.model import HeadSpec, Model
from training.pretrain import MlmBatches, text_options, text_recipe

IGNORED = -100


def collate(
    tokenizer: Tokenizer, examples: Sequence[Example], length: int, device: torch.device
) -> tuple[Padded, torch.Tensor]:
    """Examples of one head to padded tensors [B, L] and labels [B] or [B, L], there.

    L is `length` on CUDA, where a new shape would compile anew, and the longest text elsewhere.

    Texts are cut to fit, the longer of a pair first. A token head sees one token for each
    character, as it will when it serves; [CLS], [SEP] and padding have no label.
    """
    arrays = np.zeros((3, len(examples), length), dtype=np.int64)
    labels = np.full((len(examples), length), IGNORED, dtype=np.int64)
    tokenizer.enable_truncation(length, strategy="longest_first")
    unknown, cls_id, sep_id = (token_id(tokenizer, t) for t in ("[UNK]", "[CLS]", "[SEP]"))
    whole = True
    for row, item in enumerate(examples):
        if isinstance(item.first, tuple):
            whole = False
            ids = [cls_id, *(character_id(tokenizer, c, unknown) for c in item.first[: length - 2])]
            ids.append(sep_id)
            types = [0] * len(ids)
            assert isinstance(item.label, tuple)
            labels[row, 1 : len(ids) - 1] = item.label[: length - 2]
        else:
            pair = () if item.second is None else (item.second,)
            encoding = tokenizer.encode(item.first, *pair)
            ids, types = encoding.ids, encoding.type_ids
            labels[row, 0] = item.label
        arrays[0, row, : len(ids)] = ids
        arrays[1, row, : len(ids)] = 1
        arrays[2, row, : len(ids)] = types
    tokenizer.no_truncation()
    if device.type != "cuda":
        longest = int(arrays[1].sum(axis=1).max())
        arrays, labels = arrays[:, :, :longest], labels[:, :longest]
    ids_, mask, types_ = torch.from_numpy(arrays).to(device)
    answers = torch.from_numpy(labels).to(device)
    return (ids_, mask, types_), answers[:, 0] if whole else answers


def character_id(tokenizer: Tokenizer, character: str, unknown: int) -> int:
    """The id of one character as a word of its own."""
    normal = tokenizer.normalizer.normalize_str(character).strip()
    found = tokenizer.token_to_id(normal)
    return unknown if found is None else found


def head_loss(model: Model, head: str, padded: Padded, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of one head's batch."""
    return label_loss(model.head_logits(head, *padded), labels)


def label_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of logits [..., labels]; a label of IGNORED is not counted."""
    flat = logits.float().flatten(0, -2)
    return nnf.cross_entropy(flat, labels.flatten(), ignore_index=IGNORED)


def held_model(folder: Path, model: Model) -> Model:
    """The checkpoint to hold to. Raises RecipeError where it cannot be imitated by the model."""
    held = export.load(folder)
    if held.specs != model.specs or held.config.hidden_size != model.config.hidden_size:
        raise RecipeError(
            f"{folder}: to be held to, it needs the model's width and heads "
            f"({', '.join(model.specs)}); it has {', '.join(held.specs) or 'none'}"
        )
    return held


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="All heads at once, with fill-mask kept on.")
    common_options(parser, lr=1e-4, batch=64)
    trainer_options(parser)
    text_options(parser)
    parser.add_argument("--from", dest="start", type=Path, required=True)
    parser.add_argument("--labelled", type=Path, required=True, help="folder of labelled sets")
    parser.add_argument("--length", type=int, default=128, help="tokens a text (%(default)s)")
    parser.add_argument("--mlm-rows", type=int, default=128, help="rows of plain text a step")
    parser.add_argument("--mlm-length", type=int, help="tokens a row of plain text (as --length)")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument(
        "--hold", type=Path, help="keep the heads of this checkpoint instead of learning labels"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    args = options().parse_args(argv)
    settle(args)
    if args.tiny:
        args.length, args.mlm_length, args.mlm_rows = 32, 32, 4
    mlm_length = args.mlm_length or args.length
    model = export.load(args.start)
    sets = read_sets(args.labelled, "train")
    heads = Examples(sets, args.seed).heads()
    for name in heads:
        spec = HeadSpec(*HEADS[name])
        if model.specs.get(name) != spec:
            model.add_head(name, spec)
    model.set_dropout(args.dropout)
    trainer = Trainer(model, args, args.start)
    # A resumed run draws new examples instead of those it has seen.
    examples = Examples(sets, args.seed + trainer.schedule.step)
    supply = {name: alike(examples.draw(name), args.batch, args.seed) for name in heads}
    tokenizer = Tokenizer.from_file(str(args.start / "tokenizer.json"))
    recipe = text_recipe(args, args.start / "tokenizer.json", args.mlm_rows * mlm_length)
    text = MlmBatches(
        recipe, args.mlm_rows, mlm_length, trainer.place, workers=args.workers,
        device=trainer.device,
    )  # fmt: skip
    mlm_loss = compiled(model.mlm_loss, trainer.device)
    hold = Hold(held_model(args.hold, model).to(trainer.device)) if args.hold else None
    task_loss = compiled(head_loss, trainer.device)

    while trainer.running():
        with autocast(trainer.device):
            losses = {"mlm": mlm_loss(*next(text))}
            for name, batches in supply.items():
                padded, labels = collate(tokenizer, next(batches), args.length, trainer.device)
                if hold:
                    losses[name] = hold.loss(model, name, padded)
                else:
                    losses[name] = task_loss(model, name, padded, labels)
        trainer.update(losses)
    trainer.finish()


if __name__ == "__main__":
    run(main)
