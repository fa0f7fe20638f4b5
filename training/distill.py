"""A small student from a large teacher: the road below 100 MB for a fine-tuned BERT-base.

    python -m training.distill --teacher my-bert-base --out student --layers 6 --minutes 120 \\
        --lines my.txt                       # hidden states, attention, words
    python -m training.distill --teacher my-bert-base --out student --layers 6 --minutes 60 \\
        --csv train.csv                      # and the answers of its head, on texts with or
        without labels
    qingyu build student --out student-bundle

Two ways, `--way`. tinybert (Jiao et al. 2020): the student's layers imitate evenly spaced teacher
layers, hidden states (through a learnt projection where widths differ) and attention scores.
minilm (Wang et al. 2021, MiniLMv2): the student's last layer imitates one teacher layer's
relations, query-query, key-key and value-value, cut into the same number of relation heads
whatever the widths. With either, the student imitates the teacher's logits: its words at masked
positions and, on a CSV's texts, its heads.

A student as wide as its teacher starts from the teacher's own layers, evenly spaced (Sanh et al.
2019). Both read with the teacher's vocabulary, whose tokenizer files are copied.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as nnf
from tokenizers import Tokenizer
from torch import Tensor, nn

from training import export
from training.adapt import shuffled
from training.errors import RecipeError, run
from training.finetune import collate
from training.hold import Padded, soft_loss
from training.labelled import read_texts
from training.loop import Trainer, autocast, common_options, settle, trainer_options
from training.model import Config, Model, Trace, parameters, positions
from training.pretrain import MlmBatches, lines_recipe


def spread(student: int, teacher: int) -> list[int]:
    """The teacher layer (from 1) that each student layer imitates; the last imitates the last."""
    return [round((i + 1) * teacher / student) for i in range(student)]


def make_student(teacher: Model, config: Config) -> Model:
    """A student of this shape with the teacher's heads and, where they fit, its weights."""
    student = Model(config, teacher.specs)
    source = teacher.state_dict()
    layers = spread(config.num_hidden_layers, teacher.config.num_hidden_layers)
    copied = {}
    for name, tensor in student.state_dict().items():
        origin = name
        if name.startswith("bert.encoder.layer."):
            number, _, rest = name.removeprefix("bert.encoder.layer.").partition(".")
            origin = f"bert.encoder.layer.{layers[int(number)] - 1}.{rest}"
        if source[origin].shape == tensor.shape:
            copied[name] = source[origin]
    student.load_state_dict(copied, strict=False)
    student.words = teacher.words
    return student


def same_text(doc: Tensor) -> Tensor:
    """bool [B, 1, L, L]: both positions are real and belong to one text."""
    real = doc > 0
    return ((doc[:, :, None] == doc[:, None, :]) & real[:, :, None] & real[:, None, :])[:, None]


def relation(states: Tensor, heads: int) -> Tensor:
    """States [B, N, L, D] as `heads` relation heads: scaled products [B, heads, L, L] before the
    softmax.
    """
    whole = states.transpose(1, 2).flatten(2).unflatten(-1, (heads, -1)).transpose(1, 2)
    return whole @ whole.transpose(-1, -2) / whole.shape[-1] ** 0.5


def relation_loss(student: Tensor, teacher: Tensor, doc: Tensor, heads: int) -> Tensor:
    """KL of the student's relations from the teacher's, mean over real positions and heads
    (MiniLMv2, eq. 5).
    """
    allowed = same_text(doc)
    ours, theirs = (
        relation(states, heads).float().masked_fill(~allowed, -1e9).log_softmax(-1)
        for states in (student, teacher)
    )
    divergence = nnf.kl_div(ours, theirs, log_target=True, reduction="none").sum(
        -1
    )  # [B, heads, L]
    return divergence.transpose(1, 2)[doc > 0].mean()


def minilm_loss(student: Trace, teacher: Trace, doc: Tensor, layer: int, heads: int) -> Tensor:
    """Relations of the student's last layer against those of teacher layer `layer` (from 1)."""
    pairs = zip(student.qkv[-1], teacher.qkv[layer - 1], strict=True)
    return torch.stack([relation_loss(ours, theirs, doc, heads) for ours, theirs in pairs]).sum()


def scores(qkv: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Attention scores [B, N, L, L] before the softmax."""
    q, k, _ = qkv
    return q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5


def tinybert_loss(student: Trace, teacher: Trace, doc: Tensor, project: nn.Module) -> Tensor:
    """Mean squared error of hidden states, embeddings first, and of attention scores (TinyBERT,
    eq. 7 to 9).

    Attention is compared only where both have the same number of attention heads.
    """
    layers = spread(len(student.qkv), len(teacher.qkv))
    real = doc > 0
    loss = nnf.mse_loss(project(student.hidden[0])[real], teacher.hidden[0][real])
    allowed = same_text(doc)
    for ours, theirs in enumerate(layers, 1):
        hidden, wanted = student.hidden[ours], teacher.hidden[theirs]
        loss = loss + nnf.mse_loss(project(hidden)[real], wanted[real])
        a, b = scores(student.qkv[ours - 1]), scores(teacher.qkv[theirs - 1])
        if a.shape == b.shape:
            where = allowed.expand_as(a)
            loss = loss + nnf.mse_loss(a[where], b[where])
    return loss


class Lesson:
    """Runs teacher and student on the same rows and tells how far apart they are."""

    def __init__(self, teacher: Model, student: Model, way: str, heads: int, layer: int) -> None:
        self.teacher = teacher.eval().requires_grad_(False)
        self.student, self.way, self.heads, self.layer = student, way, heads, layer
        wide, narrow = teacher.config.hidden_size, student.config.hidden_size
        self.project: nn.Module = nn.Identity()
        if way == "tinybert" and wide != narrow:
            self.project = nn.Linear(narrow, wide, bias=False)

    def hidden(
        self, ids: Tensor, doc: Tensor, pos: Tensor, types: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Last hidden states of student and teacher, and the loss inside the encoder."""
        ours, theirs = Trace(), Trace()
        with torch.no_grad():
            wanted = self.teacher.bert(ids, doc, pos, types, theirs)
        got = self.student.bert(ids, doc, pos, types, ours)
        if self.way == "minilm":
            return got, wanted, minilm_loss(ours, theirs, doc, self.layer, self.heads)
        return got, wanted, tinybert_loss(ours, theirs, doc, self.project)

    def words(
        self, ids: Tensor, doc: Tensor, pos: Tensor, where: Tensor, targets: Tensor
    ) -> dict[str, Tensor]:
        """Losses on packed masked rows: inside the encoder, and words at the masked positions."""
        got, wanted, inside = self.hidden(ids, doc, pos, torch.zeros_like(ids))
        if not self.student.words:
            return {"inside": inside}
        asked = where[targets >= 0]
        ours = self.student.mlm_logits(got.flatten(0, 1)[asked]).float()
        theirs = self.teacher.mlm_logits(wanted.flatten(0, 1)[asked]).float()
        return {"inside": inside, "words": soft_loss(ours, theirs)}

    def answers(self, padded: Padded) -> dict[str, Tensor]:
        """Losses on whole texts: inside the encoder, and the answers of every head."""
        ids, mask, types = padded
        got, wanted, inside = self.hidden(ids, mask, positions(ids), types)
        losses = {"inside_texts": inside}
        for name, spec in self.student.specs.items():
            ours, theirs = self.student.heads[name](got), self.teacher.heads[name](wanted)
            if spec.level == "token":
                ours, theirs = ours[mask > 0], theirs[mask > 0]
            losses[name] = soft_loss(ours, theirs)
        return losses


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A small student from a large teacher.")
    common_options(parser, lr=2e-4, batch=32)
    trainer_options(parser)
    parser.add_argument(
        "--teacher", type=Path, required=True, help="checkpoint directory of the teacher"
    )
    parser.add_argument("--student", type=Path, help="a student to go on from (default: a new one)")
    parser.add_argument("--layers", type=int, default=6, help="of a new student (%(default)s)")
    parser.add_argument(
        "--hidden", type=int, help="width of a new student (default: the teacher's)"
    )
    parser.add_argument("--lines", type=Path, help="text, one a line")
    parser.add_argument("--csv", type=Path, help="texts for the heads: column text (and text2)")
    parser.add_argument("--way", choices=("tinybert", "minilm"), default="minilm")
    parser.add_argument("--relation-heads", type=int, default=12, help="for minilm (%(default)s)")
    parser.add_argument(
        "--teacher-layer", type=int, help="layer that minilm imitates (default: the last)"
    )
    parser.add_argument("--length", type=int, default=128, help="tokens a row (%(default)s)")
    return parser


def student_config(args: argparse.Namespace, teacher: Config) -> Config:
    """The shape of a new student: heads and feed-forward keep the teacher's proportions."""
    hidden = args.hidden or teacher.hidden_size
    per_head = teacher.hidden_size // teacher.num_attention_heads
    if hidden % per_head:
        raise RecipeError(
            f"--hidden {hidden}: must be a multiple of the teacher's {per_head} a head"
        )
    if not 1 <= args.layers <= teacher.num_hidden_layers:
        raise RecipeError(f"--layers {args.layers}: the teacher has {teacher.num_hidden_layers}")
    return replace(
        teacher,
        num_hidden_layers=args.layers,
        hidden_size=hidden,
        num_attention_heads=hidden // per_head,
        intermediate_size=hidden * teacher.intermediate_size // teacher.hidden_size,
    )


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run; returns the mean losses since the last report."""
    args = options().parse_args(argv)
    settle(args)
    if args.tiny:
        args.length = min(args.length, 32)
    if not args.lines and not args.csv:
        raise RecipeError("nothing to learn on: give --lines, --csv or both")
    teacher = export.load(args.teacher)
    if args.student:
        student = export.load(args.student)
        if student.config.vocab_size != teacher.config.vocab_size:
            raise RecipeError(f"{args.student}: its vocabulary is not the teacher's")
    else:
        student = make_student(teacher, student_config(args, teacher.config))
    if args.way == "minilm":
        for model, name in ((teacher, "teacher"), (student, "student")):
            if model.config.hidden_size % args.relation_heads:
                raise RecipeError(
                    f"--relation-heads {args.relation_heads} does not divide the {name}'s width "
                    f"{model.config.hidden_size}"
                )
    print(f"{parameters(teacher):,} parameters teach {parameters(student):,}")
    student.set_dropout(0.0)
    layer = args.teacher_layer or teacher.config.num_hidden_layers
    lesson = Lesson(teacher, student, args.way, args.relation_heads, layer)
    trainer = Trainer(student, args, args.teacher, extra=lesson.project)
    teacher.to(trainer.device)

    tokenizer = Tokenizer.from_file(str(args.teacher / "tokenizer.json"))
    rows = shuffled(read_texts(args.csv), args.seed + trainer.schedule.step) if args.csv else None
    text = None
    if args.lines:
        tokenizer_file = args.teacher / "tokenizer.json"
        recipe = lines_recipe(args.lines, tokenizer_file, args.batch * args.length, args.seed)
        text = MlmBatches(recipe, args.batch, args.length, trainer.place, device=trainer.device)

    while trainer.running():
        losses: dict[str, Tensor] = {}
        with autocast(trainer.device):
            if text is not None:
                losses |= lesson.words(*next(text))
            if rows is not None:
                drawn = [next(rows) for _ in range(args.batch)]
                padded, _ = collate(tokenizer, drawn, args.length, trainer.device)
                losses |= lesson.answers(padded)
        trainer.update(losses)
    return trainer.finish()


if __name__ == "__main__":
    run(main)
