"""From texts and labels to a head: in seconds, on a CPU, with NumPy alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qingyu import taught
from qingyu.errors import InputError
from qingyu.numbers import FloatArray, softmax
from qingyu.query import Steps
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.parameters import checked_strings
from qingyu.tasks.parts.views import END
from qingyu.tasks.taught import features
from qingyu.taught import Taught

from . import scoring
from .design import Design, common_grams
from .regression import Fit, fit
from .scoring import Score

Array = NDArray[np.float64]

LEAST_ROWS = 5  # of a label, below which little can be said about it
PENALTIES = (1e-3, 3e-4, 1e-4, 3e-5)
NAMES_UP_TO = 100  # rows a label; beyond, rows say more than names, which cost passes of their own
WORTH = 0.01  # accuracy that names have to add
FEW = 700  # rows up to which products of rows are cheaper than the rows themselves
MANY = 5000  # rows from which on two penalties are tried instead of all
GRAM_WEIGHT = 1.0  # how long the vector of runs of characters is beside the other


class TeachableModel(Protocol):
    """A loaded model, as far as teaching needs it."""

    context: Context

    @property
    def digest(self) -> str: ...
    def complete_all(
        self, tasks: Sequence[Steps[tuple[FloatArray, FloatArray | None]]]
    ) -> list[tuple[FloatArray, FloatArray | None]]: ...


@dataclass(frozen=True, eq=False)
class Lesson:
    """A head that was taught, with what it was taught with.

    score:  by cross-validation: rows were not seen when they were answered
    notes:  what a person should know, as (Chinese, English)
    rows:   text and label of each
    """

    head: Taught
    score: Score
    notes: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str], ...]
    vectors: FloatArray

    def save(self, out: str | Path) -> None:
        """Write the head's folder, whole or not at all. Raises BundleError."""
        taught.write(self.head, self.rows, self.vectors, Path(out))


def teach(
    model: TeachableModel,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    name: str = "taught",
    names: bool = True,
    add_to: str | Path | None = None,
) -> Lesson:
    """A head for the labels of these texts.

    names:  whether what the labels are called may help, where there are few rows; it is used where
            cross-validation finds it worth its cost
    add_to: the folder of a head whose rows are learnt too

    Raises InputError for lists of two lengths, blank texts, fewer than two labels or a label with
    one row; BundleError for a folder that is no taught head of this model.
    """
    texts, labels = checked_strings(texts, "texts"), checked_strings(labels, "labels")
    if len(texts) != len(labels):
        raise InputError(
            f"有 {len(texts)} 段文本，却有 {len(labels)} 个标签；应一一对应。",
            f"There are {len(texts)} texts and {len(labels)} labels; give one each.",
        )
    known, vectors = _before(model, add_to)
    rows = [*known, *zip(texts, (label.strip() for label in labels), strict=True)]
    kinds = _checked_labels([label for _, label in rows])
    views = (END,)
    fresh = _vectors(model, texts, views)
    vectors = np.concatenate([vectors, fresh]) if len(vectors) else fresh
    index = {label: i for i, label in enumerate(kinds)}
    told = np.array([index[label] for _, label in rows])

    prior = None
    if names and len(rows) <= NAMES_UP_TO * len(kinds) and _fills(model.context):
        prior = _priors(model, [text for text, _ in rows], kinds)
    pupil = _Pupil([text for text, _ in rows], vectors, told, len(kinds))
    plain = pupil.validated(None)
    best, helped = plain, None
    if prior is not None:
        joined = pupil.validated(prior)
        if joined.accuracy(told) >= plain.accuracy(told) + WORTH:
            best, helped = joined, prior
    warmth = scoring.temperature(best.logits, told)
    score = scoring.score(kinds, told, softmax(best.logits / warmth))
    bar = scoring.bar(best.logits / warmth, told)
    fitted = pupil.fitted(best.penalty, helped)
    d = vectors.shape[1]
    head = Taught(
        name=name,
        labels=tuple(kinds),
        views=views,
        centre=pupil.centre,
        weights=np.asarray(fitted.weights[:d] / pupil.scale, np.float32),
        bias=np.asarray(fitted.bias, np.float32),
        grams=pupil.grams,
        rarity=pupil.rarity,
        gram_weights=np.asarray(fitted.weights[d:] * GRAM_WEIGHT, np.float32),
        names=() if helped is None else tuple(kinds),
        trust=fitted.trust,
        temperature=warmth,
        bar=bar,
        bundle=model.digest,
        about={"score": asdict(score), "rows": dict(Counter(label for _, label in rows))},
    )
    return Lesson(head, score, tuple(_notes(rows, bar)), tuple(rows), vectors)


@dataclass(frozen=True, eq=False)
class _Validated:
    """Logits [n, k] of rows, each by a fit that did not see it, and the penalty that did best."""

    logits: Array
    penalty: float

    def accuracy(self, labels: NDArray[np.int64]) -> float:
        return float((self.logits.argmax(axis=1) == labels).mean())


class _Pupil:
    """The rows to learn, and fits to some of them."""

    def __init__(
        self, texts: list[str], vectors: FloatArray, labels: NDArray[np.int64], kinds: int
    ) -> None:
        self._labels, self._kinds = labels, kinds
        self.centre = np.asarray(vectors.mean(axis=0), np.float32)
        apart = vectors.astype(np.float64) - self.centre
        self.scale = float(np.sqrt((apart**2).sum(axis=1).mean())) or 1.0
        self.grams, self.rarity = common_grams(texts)
        rows = [taught.weighed(text, self.grams, self.rarity) for text in texts]
        rows = [(columns, values * np.float32(GRAM_WEIGHT)) for columns, values in rows]
        self._design = Design(apart / self.scale, rows, len(self.grams))
        self._back: Array | None = None
        if len(texts) <= FEW:
            self._design, self._back = self._design.turned()
        ids: dict[str, int] = {}
        self._groups = np.array([ids.setdefault(text, len(ids)) for text in texts])

    def fitted(self, penalty: float, prior: Array | None) -> Fit:
        """A fit to all rows: weights [d + g, k] of vectors, then of runs of characters."""
        solution = fit(self._design, self._labels, self._kinds, penalty, prior)
        return (
            solution
            if self._back is None
            else replace(solution, weights=self._back @ solution.weights)
        )

    def validated(self, prior: Array | None) -> _Validated:
        """Cross-validation for each penalty; the one whose answers are likeliest."""
        smallest = int(np.bincount(self._labels).min())
        count = max(2, min(scoring.FOLDS, smallest))
        fold = scoring.folds(self._labels, self._groups, count)
        many = len(self._labels) > MANY
        tried: list[tuple[float, _Validated]] = []
        for penalty in PENALTIES[1:3] if many else PENALTIES:
            logits = np.empty((len(self._labels), self._kinds))
            for number in range(count):
                inside, outside = (np.flatnonzero(x) for x in (fold != number, fold == number))
                start, asked = (None if prior is None else prior[x] for x in (inside, outside))
                solution = fit(
                    self._design.part(inside), self._labels[inside], self._kinds, penalty, start
                )
                logits[outside] = solution.logits(self._design.part(outside), asked)
            warmth = scoring.temperature(logits, self._labels)
            chances = softmax(logits / warmth)[np.arange(len(logits)), self._labels]
            loss = -float(np.log(chances + 1e-12).mean())
            tried.append((loss, _Validated(logits, penalty)))
        return min(tried, key=lambda one: one[0])[1]


def _vectors(model: TeachableModel, texts: Sequence[str], views: Sequence[str]) -> FloatArray:
    results = model.complete_all([_only(model.context, text, views, ()) for text in texts])
    return np.stack([vector for vector, _ in results])


def _priors(model: TeachableModel, texts: Sequence[str], kinds: Sequence[str]) -> Array:
    results = model.complete_all([_only(model.context, text, (), kinds) for text in texts])
    return np.stack([prior for _, prior in results if prior is not None]).astype(np.float64)


def _only(
    context: Context, text: str, views: Sequence[str], names: Sequence[str]
) -> Steps[tuple[FloatArray, FloatArray | None]]:
    _, vector, prior = yield from features(context, text, views, names, "windows")
    return vector, prior


def _fills(context: Context) -> bool:
    return any(map(heads.masked_lm, context.heads.values()))


def _before(
    model: TeachableModel, folder: str | Path | None
) -> tuple[list[tuple[str, str]], FloatArray]:
    """Rows and vectors of a head that is taught more."""
    if folder is None:
        return [], np.empty((0, 0), np.float32)
    head = taught.read(Path(folder))
    rows, vectors = taught.read_rows(Path(folder))
    if head.bundle != model.digest:  # its vectors are another model's
        vectors = _vectors(model, [text for text, _ in rows], head.views)
    return rows, vectors


def _checked_labels(labels: list[str]) -> list[str]:
    """The different labels in order. Raises InputError where they are too few, or one has a single
    row."""
    counts = Counter(labels)
    if len(counts) < 2:
        raise InputError(
            f"只有一个标签「{labels[0]}」；至少要两个。",
            f"There is one label only, {labels[0]}; two are the least.",
        )
    single = [label for label, count in counts.items() if count < 2]
    if single:
        listed = "、".join(single[:5])
        raise InputError(
            f"「{listed}」只有一行；每个标签至少 2 行，最好 {LEAST_ROWS} 行以上。",
            f"One row only for {listed}; a label needs 2 at least, better {LEAST_ROWS} or more.",
        )
    return sorted(counts)


def _notes(rows: Sequence[tuple[str, str]], bar: float | None) -> list[tuple[str, str]]:
    notes = []
    for label, count in sorted(Counter(label for _, label in rows).items()):
        if count < LEAST_ROWS:
            notes.append(
                (
                    f"「{label}」只有 {count} 行，太少；再加到 {LEAST_ROWS} 行以上会更准。",
                    f"Too few rows for {label}: {count}; add some, {LEAST_ROWS} or more.",
                )
            )
    said: dict[str, set[str]] = {}
    for text, label in rows:
        said.setdefault(text.strip(), set()).add(label)
    torn = [(text, sorted(several)) for text, several in said.items() if len(several) > 1]
    if torn:
        text, several = torn[0]
        notes.append(
            (
                f"有 {len(torn)} 段文本标了不同的标签，如「{text[:20]}」：{'、'.join(several)}。",
                f"{len(torn)} texts have several labels, as “{text[:20]}”: {', '.join(several)}.",
            )
        )
    if bar is None:
        notes.append(
            (
                f"行数或把握不足，定不出能有 {scoring.SURE:.0%} 正确的门槛；“不确定”以 0.5 为界。",
                f"No bar from which on {scoring.SURE:.0%} are right could be found; "
                "answers are uncertain below 0.5.",
            )
        )
    return notes
