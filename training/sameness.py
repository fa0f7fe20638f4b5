"""Fit the evidence that stands beside the pair head: weights of terms, then of each kind.

    python -m training.sameness --bundle BUNDLE --pairs LABELLED/pair

Weights of terms and shapes are a logistic regression on labelled training pairs, without the head,
which has read those pairs and is surer of them than of new ones. What each kind of evidence weighs
beside the head is fitted on pairs that the head has not read: every fourth row of the development
sets (their other rows measure), the half of bench/written that may be looked at,
`minimal_pairs.tsv`, and pairs by rule.
Writes `sameness.tsv` and prints the weights for `qingyu/tasks/parts/sameness.py`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

import qingyu
from bench.quality_written import HALVES, half_of, lines
from qingyu.model import Model
from qingyu.query import Steps
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.sameness import EVIDENCE, TermWeights, gathered
from qingyu.tasks.similarity import NAME
from qingyu.teach.regression import minimise
from qingyu.teach.scoring import calibration_error
from qingyu.text.contrasts import plain
from qingyu.text.differences import SHAPE, differences
from qingyu.text.reading import read_pair
from training import contrast
from training.errors import run

Pair = tuple[str, str, int]

TRAIN = {
    "lcqmc_devtest": 99999,
    "bq_devtest": 99999,
    "simclue_1w": 99999,
    "atec": 10000,
    "afqmc": 10000,
}
TUNING = {"lcqmc_devtest": 1.0, "bq_devtest": 1.0, "afqmc": 0.7, "paws_x_zh_devtest": 1.5}
EVERY = 4  # rows of a development set, of which one is for tuning
LEAST = 4  # times that a term occurs
FADING = 25.0  # variance 1/FADING of the weights of terms
STEPS = 40  # stopped early: after 60 there are 8,000 terms in place of 4,800
KEPT = 0.05  # smaller weights are left out
BY_RULE, RULE_WEIGHT, WRITTEN_WEIGHT = 800, 0.5, 2.0
TABLE = Path(qingyu.__file__).parent / "tasks" / "parts" / "sameness.tsv"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bundle", required=True, help="name or folder")
    parser.add_argument("--pairs", type=Path, required=True, help="folder of labelled pairs")
    parser.add_argument(
        "--held", type=Path, help="keep what the head says in this file, or read it"
    )
    args = parser.parse_args(arguments)
    words = Words([rows(args.pairs / name / "train.jsonl", most) for name, most in TRAIN.items()])
    words.write(TABLE)
    print(f"{len(words.table)} terms, {TABLE.stat().st_size:,} bytes")
    sets = tuning(args.pairs)
    told = heard(args.bundle, [pair for some, _ in sets.values() for pair in some], args.held)
    weigh(sets, told, words)


def rows(path: Path, most: int = 1 << 30) -> list[Pair]:
    """Pairs of a file, as many of them, spread over it."""
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    random.Random(0).shuffle(found)
    return [(row["a"], row["b"], int(row["label"])) for row in found[:most]]


class Words:
    """Log-odds that texts mean the same by their terms and shape."""

    def __init__(self, sets: Sequence[Sequence[Pair]]) -> None:
        laid = [differences(plain(a), plain(b)) for some in sets for a, b, _ in some]
        counts = Counter(term for terms, _ in laid for term in terms)
        self._places = {t: i for i, t in enumerate(t for t, n in counts.items() if n >= LEAST)}
        shapes = np.array([shape for _, shape in laid], np.float32)
        self._bars = [
            (i, float(bar))
            for i in range(len(SHAPE))
            for bar in ([0.0] if len(np.unique(shapes[:, i])) < 8 else _bars(shapes[:, i]))
        ]
        same = np.array([label for some in sets for _, _, label in some], np.float32)
        self._fit(self._occurring([terms for terms, _ in laid]), self._dense(shapes), same)

    def _occurring(self, laid: Sequence[Counter[str]]) -> tuple[np.ndarray, ...]:
        """For each term of each pair: the pair, the term, how often it occurs."""
        found = [
            (row, self._places[term], count)
            for row, terms in enumerate(laid)
            for term, count in terms.items()
            if term in self._places
        ]
        return tuple(np.array(column) for column in zip(*found, strict=True))

    def _dense(self, shapes: np.ndarray) -> np.ndarray:
        """float32 [pairs, bars]: by how much each shape is above each of its bars."""
        return np.stack([np.maximum(0, shapes[:, i] - bar) for i, bar in self._bars], axis=1)

    def _fit(self, occurring: tuple[np.ndarray, ...], shapes: np.ndarray, same: np.ndarray) -> None:
        middle, spread = shapes.mean(0), shapes.std(0) + 1e-6
        dense = np.c_[(shapes - middle) / spread, np.ones(len(shapes))].astype(np.float64)
        pairs, terms, counts = occurring
        many = len(self._places)

        def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
            w, d = x[:many], x[many:]
            z = dense @ d + np.bincount(pairs, counts * w[terms], len(same))
            off = np.exp(-np.logaddexp(0, -z)) - same
            value = (np.logaddexp(0, z) - same * z).sum()
            value = value + FADING / 2 * (w @ w) + 0.15 * (d @ d)
            slope = FADING * w + np.bincount(terms, counts * off[pairs], many)
            return float(value), np.concatenate([slope, dense.T @ off + 0.3 * d])

        found = minimise(loss, np.zeros(many + dense.shape[1]), STEPS)
        kept = np.abs(found[:many]) > KEPT
        self.table = {t: float(found[i]) for t, i in self._places.items() if kept[i]}
        slopes = found[many:-1] / spread
        self._told = [(i, bar, float(s)) for (i, bar), s in zip(self._bars, slopes, strict=True)]
        constant = float(found[-1]) - float(slopes @ middle)
        # "alike" is 0 or 1, so that what is above -1 carries the constant
        self._told.append((SHAPE.index("alike"), -1.0, constant))
        at = SHAPE.index("alike")
        self._told = [(i, b, s - constant if (i, b) == (at, 0.0) else s) for i, b, s in self._told]

    def __call__(self, a: str, b: str) -> float:
        """Of two texts that `plain` has read."""
        return TermWeights(self.table, tuple(self._told))(a, b)

    def write(self, path: Path) -> None:
        told = [f"{SHAPE[i]}\t{bar:.4g}\t{slope:.4g}\n" for i, bar, slope in self._told]
        told += [f"{term}\t{weight:.2f}\n" for term, weight in sorted(self.table.items())]
        path.write_text("".join(told), "utf-8")


def _bars(values: np.ndarray) -> list[float]:
    return [0.0, *np.unique(np.quantile(values, [0.2, 0.4, 0.6, 0.8])).tolist()]


def tuning(folder: Path) -> dict[str, tuple[list[Pair], float]]:
    """Pairs that the head has not read and what each counts, by name."""
    found = {}
    for name, weight in TUNING.items():
        read = [
            json.loads(line)
            for line in (folder / name / "dev.jsonl").read_text("utf-8").splitlines()
        ]
        some = [(row["a"], row["b"], int(row["label"])) for row in read[::EVERY]]
        found[name] = some, weight
    seen = [r for r in lines("contrast.tsv") if half_of(r[1] + r[2]) == HALVES[0]]
    text = Path(__file__).with_name("minimal_pairs.tsv").read_text("utf-8")
    seen += [line.split("\t") for line in text.splitlines()]
    found["written"] = [(r[1], r[2], int(r[3])) for r in seen], WRITTEN_WEIGHT
    chance = random.Random(0)
    source = rows(folder / "lcqmc_devtest" / "train.jsonl", 5000)
    found["by rule"] = [contrast.pair(source, chance) for _ in range(BY_RULE)], RULE_WEIGHT
    return found


def heard(bundle: str, pairs: Sequence[Pair], held: Path | None) -> np.ndarray:
    """Log-odds of the pair head, float [pairs]."""
    if held and held.exists():
        return np.asarray(np.load(held))
    with closing(qingyu.load(bundle, threads=1)) as model:
        told = np.array(model.complete_all([_asked(model, a, b) for a, b, _ in pairs]))
    if held:
        np.save(held, told)
    return told


def _asked(model: Model, a: str, b: str) -> Steps[float]:
    context = model.context
    name = context.head(NAME, heads.compares)
    both = context.readable(a), context.readable(b)
    first, second = read_pair(context.tokenizer, *both, context.pair_room, "end")
    answers = yield [context.whole(first.parts()[0], name, second.parts()[0])]
    logits = answers[0][0]
    return float(logits[1] - logits[0])


def weigh(sets: dict[str, tuple[list[Pair], float]], told: np.ndarray, words: Words) -> None:
    """Print the weights of EVIDENCE, and how many of each set are right, by cross-validation."""
    names, evidence, same, weight = [], [], [], []
    for name, (some, share) in sets.items():
        for a, b, label in some:
            x, y = plain(a), plain(b)
            evidence.append(gathered(x, y, float(told[len(names)]), words(x, y)))
            names.append(name)
            same.append(label)
            weight.append(share)
    x, truth, counts = np.array(evidence), np.array(same), np.array(weight)
    fold = np.arange(len(x)) % 5
    odds = np.zeros(len(x))
    for part in range(5):
        odds[fold == part] = x[fold == part] @ logistic(
            *(v[fold != part] for v in (x, truth, counts))
        )
    for name in sets:
        of = np.array(names) == name
        right = (odds[of] > 0) == (truth[of] == 1)
        before = (told[of] > 0) == (truth[of] == 1)
        sure = 1 / (1 + np.exp(-np.abs(odds[of])))
        error = calibration_error(sure, right)
        print(f"{name}: {before.mean():.4f} -> {right.mean():.4f}, calibration error {error:.3f}")
    found = logistic(x, truth, counts)
    print("WEIGHTS = (" + ", ".join(f"{value:.2f}" for value in found) + ")")
    print(dict(zip(EVIDENCE, found.round(2).tolist(), strict=True)))


def logistic(x: np.ndarray, same: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """TermWeights of a logistic regression, by Newton's method."""
    found = np.zeros(x.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-x @ found))
        bend = (x * (counts * chance * (1 - chance))[:, None]).T @ x + 0.1 * np.eye(len(found))
        found += np.linalg.solve(bend, x.T @ (counts * (same - chance)) - 0.1 * found)
    return found


if __name__ == "__main__":
    run(main)
