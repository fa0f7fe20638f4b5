"""What a head with layers of its own learns from a batch of rows, and how it is scored.

Classifiers of texts and of tokens: cross-entropy. Embeddings: of the texts in a batch, the one that
belongs to each text (InfoNCE; van den Oord et al. 2018), and the order of graded pairs (CoSENT; Su
2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as nnf
from numpy.typing import NDArray
from torch import Tensor

from training.branch import EMBEDDING, Branch
from training.finetune import IGNORED
from training.frozen import Frozen
from training.recipes import Row

SHARPNESS = 20.0  # what cosines are multiplied by
AT_ONCE = 32
GRADED = 0.3  # weight of the order of graded pairs

Index = dict[object, int]


class Lesson(Protocol):
    def cost(self, row: Row) -> int:
        """Tokens, by which rows are batched."""

    def loss(self, rows: Sequence[Row]) -> Tensor: ...

    def scores(self, rows: Sequence[Row]) -> dict[str, float]:
        """Figures by name; `score` is the one to choose by."""

    def settled(self, rows: Sequence[Row], /) -> dict[str, dict[str, Any]]:
        """What else goes into the entry of each head, fitted on these rows."""


def lesson(kind: str, branch: Branch, frozen: Frozen, index: Index) -> Lesson:
    if kind == EMBEDDING:
        return Meanings(branch, frozen, index)
    return Labels(branch, frozen, index, kind)


class Labels:
    """Classifiers of texts ("seq") or of tokens."""

    def __init__(self, branch: Branch, frozen: Frozen, index: Index, kind: str) -> None:
        self.branch, self.frozen, self.index, self.kind = branch, frozen, index, kind

    def _place(self, row: Row) -> int:
        return self.index[row.texts if self.kind == "seq" else row.texts[0]]

    def cost(self, row: Row) -> int:
        return int(self.frozen.lengths[self._place(row)])

    def answers(self, rows: Sequence[Row]) -> dict[str, tuple[Tensor, Tensor]]:
        """For each head, logits [n, labels] and labels [n] of all that has one."""
        hidden, mask = self.frozen.batch([self._place(row) for row in rows])
        found = {}
        for name, logits in self.branch(hidden, mask).items():
            labels = torch.full(mask.shape, IGNORED)
            for i, row in enumerate(rows):
                label = row.labels.get(name)
                if isinstance(label, tuple):
                    kept = label[: self.cost(row) - 2]
                    labels[i, 1 : len(kept) + 1] = torch.tensor(kept)
                elif label is not None:
                    labels[i, 0] = label
            if logits.ndim == 3 and self.kind == "seq":
                logits = logits[:, :1]
            if logits.ndim == 2:
                logits = logits[:, None]
            if self.kind == "seq":
                labels = labels[:, :1]
            real = labels != IGNORED
            if real.any():
                found[name] = logits[real], labels[real]
        return found

    def loss(self, rows: Sequence[Row]) -> Tensor:
        losses = [nnf.cross_entropy(*pair) for pair in self.answers(rows).values()]
        return torch.stack(losses).mean()

    def _all(self, rows: Sequence[Row]) -> dict[str, list[tuple[Tensor, Tensor, str]]]:
        """Logits and labels of each row by head, with the set it is from."""
        found: dict[str, list[tuple[Tensor, Tensor, str]]] = {}
        by_source: dict[str, list[Row]] = {}
        for row in sorted(rows, key=self.cost):
            by_source.setdefault(row.source, []).append(row)
        with torch.inference_mode():
            for source, members in by_source.items():
                for first in range(0, len(members), AT_ONCE):
                    for name, pair in self.answers(members[first : first + AT_ONCE]).items():
                        found.setdefault(name, []).append((*pair, source))
        return found

    def scores(self, rows: Sequence[Row]) -> dict[str, float]:
        found: dict[str, float] = {}
        losses = []
        for name, parts in self._all(rows).items():
            by_source: dict[str, list[tuple[Tensor, Tensor]]] = {}
            for logits, labels, source in parts:
                by_source.setdefault(source, []).append((logits, labels))
            for source, pairs in by_source.items():
                logits = torch.cat([pair[0] for pair in pairs])
                labels = torch.cat([pair[1] for pair in pairs])
                right = logits.argmax(-1) == labels
                if self.kind == "token":
                    right = right[labels > 0]  # of the tokens of entities
                found[f"{name}/{source}"] = right.float().mean().item()
            whole = (torch.cat([part[i] for part in parts]) for i in (0, 1))
            losses.append(nnf.cross_entropy(*whole).item())
        found["loss_held"] = float(np.mean(losses))
        found["score"] = 1.0 - found["loss_held"]
        return found

    def settled(self, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
        fitted = {}
        for name, parts in self._all(rows).items():
            logits, labels = (torch.cat([part[i] for part in parts]).numpy() for i in (0, 1))
            fitted[name] = {"temperature": temperature(logits, labels)}
        return fitted


class Meanings:
    """An embedding."""

    def __init__(self, branch: Branch, frozen: Frozen, index: Index) -> None:
        self.branch, self.frozen, self.index = branch, frozen, index

    def cost(self, row: Row) -> int:
        return sum(int(self.frozen.lengths[self.index[text]]) for text in row.texts)

    def vectors(self, texts: Sequence[object]) -> Tensor:
        """Unit vectors [n, width]. Texts of like length run together."""
        places = [self.index[text] for text in texts]
        order = sorted(range(len(places)), key=lambda i: int(self.frozen.lengths[places[i]]))
        parts = []
        for first in range(0, len(order), AT_ONCE):
            chosen = [places[i] for i in order[first : first + AT_ONCE]]
            parts.append(self.branch(*self.frozen.batch(chosen))[self.branch.owner])
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(parts)[back]

    def loss(self, rows: Sequence[Row]) -> Tensor:
        texts = list(dict.fromkeys(text for row in rows for text in row.texts))
        where = {text: i for i, text in enumerate(texts)}
        vectors = self.vectors(texts)
        losses = []
        together = [row for row in rows if not row.labels]
        if together:
            a = vectors[[where[row.texts[0]] for row in together]]
            right = [where[row.texts[1]] for row in together]
            others = [where[row.texts[2]] for row in together if len(row.texts) > 2]
            columns = list(dict.fromkeys([*right, *others]))
            cosines = SHARPNESS * a @ vectors[columns].T
            for i, row in enumerate(together):  # a text is not its own rival
                own = where[row.texts[0]]
                if own in columns:
                    cosines[i, columns.index(own)] = -1e4
            wanted = torch.tensor([columns.index(one) for one in right])
            losses.append(nnf.cross_entropy(cosines, wanted))
        graded = [row for row in rows if "score" in row.labels]
        grades = torch.tensor([row.labels["score"] for row in graded])
        if len(grades.unique()) > 1:
            left, right_ = (vectors[[where[row.texts[i]] for row in graded]] for i in (0, 1))
            losses.append(GRADED * cosent((left * right_).sum(-1), grades))
        return torch.stack(losses).sum()

    def scores(self, rows: Sequence[Row]) -> dict[str, float]:
        with torch.inference_mode():
            graded = [row for row in rows if "score" in row.labels]
            together = [row for row in rows if not row.labels]
            found = {}
            if graded:
                a, b = (self.vectors([row.texts[i] for row in graded]) for i in (0, 1))
                told = (a * b).sum(-1).numpy()
                known = np.array([row.labels["score"] for row in graded])
                found["spearman"] = spearman(told, known)
            if together:
                targets = list(dict.fromkeys(row.texts[1] for row in together))
                a, b = self.vectors([row.texts[0] for row in together]), self.vectors(targets)
                best = (a @ b.T).argmax(-1).tolist()
                hits = [targets[i] == row.texts[1] for i, row in zip(best, together, strict=True)]
                found["first"] = float(np.mean(hits))
            found["score"] = float(np.mean(list(found.values()))) if found else 0.0
            return found

    def settled(self, _rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
        return {}


def cosent(cosines: Tensor, grades: Tensor) -> Tensor:
    """log(1 + sum over pairs i graded above j of exp(s (cos_j - cos_i))); cosines, grades [n]."""
    apart = SHARPNESS * (cosines[None, :] - cosines[:, None])  # [i, j]
    wrong = apart[grades[:, None] > grades[None, :]]
    return torch.logsumexp(torch.cat([wrong, wrong.new_zeros(1)]), 0)


def spearman(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Rank correlation of two arrays [n]; equal values share their mean rank."""
    ranks = []
    for values in (one, other):
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        last = np.cumsum(counts)
        ranks.append((last - (counts - 1) / 2)[inverse])
    return float(np.corrcoef(*ranks)[0, 1])


def temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The number that logits [n, labels] are divided by so that the softmax of their labels [n] is
    likeliest (Guo et al. 2017), to one part in a hundred.
    """
    tried = np.exp(np.arange(-1.5, 1.5, 0.01))
    losses = []
    for one in tried:
        scaled = torch.from_numpy(logits / one)
        losses.append(nnf.cross_entropy(scaled, torch.from_numpy(labels)).item())
    return round(float(tried[int(np.argmin(losses))]), 3)
