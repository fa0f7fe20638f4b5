"""What a bundle makes of the lists in written/: an everyday FAQ, pairs of minimal contrast, and
messages to a support desk. Written for this project; no model was trained on them.

Half of each list, by the first byte of its SHA-256, may be looked at and tuned on; the other is
kept apart ("unseen").
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qingyu.model import Model
from qingyu.results import UNCERTAIN, Method
from qingyu.teach.scoring import calibration_error

LISTS = Path(__file__).parent / "written"
HALVES = ("seen", "unseen")
WAYS: tuple[Method, ...] = ("entailment", "cloze", "both")


@dataclass(frozen=True)
class Measured:
    """A figure, and how far the probabilities told lie from the share that is right."""

    value: float
    calibration_error: float | None = None


def judged(right: Sequence[bool], chances: Sequence[float]) -> Measured:
    """The share of answers that are right, each told with a probability."""
    if not right:
        return Measured(float("nan"))
    error = calibration_error(np.asarray(chances, np.float64), np.asarray(right, np.bool_))
    return Measured(sum(right) / len(right), error)


def half_of(text: str) -> str:
    """One of HALVES."""
    return HALVES[hashlib.sha256(text.encode()).digest()[0] % 2]


def lines(name: str) -> list[list[str]]:
    """A list of written/: fields by line."""
    return [line.split("\t") for line in (LISTS / name).read_text("utf-8").splitlines()]


def written(model: Model) -> Iterator[tuple[str, int, str, Measured]]:
    """Name of a list and its half, rows, measure and figure."""
    yield from contrast(model)
    yield from faq(model)
    yield from support(model)


def contrast(model: Model) -> Iterator[tuple[str, int, str, Measured]]:
    """Pairs that differ in little: roles, negation, opposite verbs, places, numbers."""
    for half in HALVES:
        rows = [row for row in lines("contrast.tsv") if half_of(row[1] + row[2]) == half]
        told = [r.score for r in model.similarity([r[1] for r in rows], [r[2] for r in rows])]
        right = [(one > 0.5) == (row[3] == "1") for one, row in zip(told, rows, strict=True)]
        yield (
            f"minimal pairs, {half}",
            len(rows),
            "accuracy",
            judged(right, [max(one, 1 - one) for one in told]),
        )


def faq(model: Model) -> Iterator[tuple[str, int, str, Measured]]:
    """Whether the entry that answers a question comes first, or among the first three; and for how
    many of the questions that it does not answer the most forward entry comes first.
    """
    head, *entries = lines("faq.tsv")
    rows = [dict(zip(head, entry, strict=True)) for entry in entries]
    questions = [(question, number) for question, number in lines("faq_questions.tsv")]
    with tempfile.TemporaryDirectory() as folder:
        index = model.build_index(rows, Path(folder) / "faq", text="问题")
        for rerank, way in ((False, "index alone"), (True, "reranked")):
            found = {
                question: (
                    number,
                    [
                        dict(hit.row)["编号"]
                        for hit in model.search(index, question, top_k=3, rerank=rerank).hits
                    ],
                )
                for question, number in questions
            }
            for half in HALVES:
                some = [answer for q, answer in found.items() if half_of(q) == half]
                for what, value in ranked(some).items():
                    yield f"FAQ, {half}", len(some), f"{what}, {way}", Measured(value)


def ranked(answers: Sequence[tuple[str, list[str]]]) -> dict[str, float]:
    """Shares, of the entry that is right and those found, best first, of each question."""
    asked = Counter(right for right, _ in answers)
    wrong = Counter(found[0] for right, found in answers if found[0] != right)
    return {
        "first": sum(found[0] == right for right, found in answers) / len(answers),
        "in the first three": sum(right in found for right, found in answers) / len(answers),
        "one entry first for unrelated ones": max(
            (count / (len(answers) - asked[entry]) for entry, count in wrong.items()), default=0.0
        ),
    }


def support(model: Model) -> Iterator[tuple[str, int, str, Measured]]:
    """Messages in ten labels, zero-shot in each way; how many of those answered with `uncertain`
    are right, and how many are answered."""
    rows = [(label, text) for label, text in lines("support.tsv")]
    labels = sorted({label for label, _ in rows})
    for way in WAYS:
        results = model.zero_shot([t for _, t in rows], labels, method=way, uncertain=True)
        for half in HALVES:
            some = [
                (result, label)
                for result, (label, text) in zip(results, rows, strict=True)
                if half_of(text) == half
            ]
            right = [result.labels[0] == label for result, label in some]
            what = f"accuracy of {len(labels)} labels, {way}"
            yield f"support, {half}", len(some), what, judged(right, [r.scores[0] for r, _ in some])
            sure = [r.label == label for r, label in some if r.label != UNCERTAIN]
            answered = len(sure) / len(some)
            yield f"support, {half}", len(some), f"answered if sure, {way}", Measured(answered)
            if sure:
                right_of = sum(sure) / len(sure)
                yield f"support, {half}", len(sure), f"right if sure, {way}", Measured(right_of)
