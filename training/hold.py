"""Keeping what a model can do while it learns something else: a frozen copy to imitate."""

from __future__ import annotations

import torch
import torch.nn.functional as nnf

from training.model import Model, positions

Padded = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # ids, mask, types: int64 [B, L]


class Hold:
    """A frozen model whose heads' answers another model keeps while it learns words.

    Labels say little a text; hidden states say much: they are imitated where heads read them, at
    [CLS] and, for heads of tokens, everywhere, as their mean squared distance in units of the
    frozen model's variance (Romero et al. 2015, "hints"), with the divergence of the answers.
    """

    def __init__(self, before: Model) -> None:
        self.before = before.eval().requires_grad_(False)

    def loss(self, model: Model, head: str, padded: Padded) -> torch.Tensor:
        """How far the model is from the frozen one on a batch of texts."""
        ids, mask, types = padded
        inputs = (ids, mask, positions(ids), types)
        hidden = model.bert(*inputs)
        with torch.no_grad():
            old = self.before.bert(*inputs)
            theirs = self.before.heads[head](old)
        ours = model.heads[head](hidden)
        real = mask > 0
        if model.specs[head].level == "token":
            ours, theirs = ours[real], theirs[real]
        apart = distance(hidden[:, 0], old[:, 0]) + distance(hidden[real], old[real])
        return apart + soft_loss(ours, theirs)


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of states [n, H] in units of the variance of `theirs`."""
    return nnf.mse_loss(ours.float(), theirs.float()) / theirs.float().var()


def soft_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of the student's answers from the teacher's, mean over rows."""
    return nnf.kl_div(
        student.float().log_softmax(-1),
        teacher.float().log_softmax(-1),
        log_target=True,
        reduction="batchmean",
    )
