"""How well a head that is taught does, beside a bag of characters: ten shopping categories.

    python -m bench.teach LABELLED [--model NAME] [--rows 8 64 300] [--draws 5] [--texts 400]

LABELLED holds cls/online_shopping_category/train.jsonl and dev.jsonl. For each number of rows a
label, heads are taught on so many rows of the train file, drawn anew each time, and asked about
texts spread over the dev file, through the public Python API: by rows alone, and with what the
labels are called. Beside them TF-IDF of runs of one to three characters with logistic regression
(scikit-learn, which has to be installed; its strength chosen by cross-validation) learns from the
same rows.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import qingyu
from bench.figures import describe
from qingyu.model import Model

SET = Path("cls") / "online_shopping_category"
STRENGTHS = [1.0, 10.0, 100.0, 1000.0]
LONGEST = 200  # characters of a review that are read

Rows = list[tuple[str, str]]
Learn = Callable[[Rows], Callable[[list[str]], Sequence[str]]]


def read(path: Path) -> Rows:
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    return [(row["text"][:LONGEST], row["label"]) for row in rows]


def drawn(rows: Rows, count: int, seed: int) -> Rows:
    """`count` rows of each label, others with each seed."""
    rng = random.Random(seed)
    labels = sorted({label for _, label in rows})
    return [
        one for label in labels for one in rng.sample([r for r in rows if r[1] == label], count)
    ]


def by_teaching(model: Model, names: bool) -> Learn:
    def learn(rows: Rows) -> Callable[[list[str]], Sequence[str]]:
        texts, labels = zip(*rows, strict=True)
        lesson = model.teach(texts, labels, names=names)
        return lambda asked: [r.label for r in model.classify(asked, head=lesson.head.name)]

    return learn


def by_characters(rows: Rows) -> Callable[[list[str]], Sequence[str]]:
    """TF-IDF and logistic regression."""
    learner = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True),
        GridSearchCV(LogisticRegression(max_iter=500), {"C": STRENGTHS}, cv=4),
    )
    texts, labels = zip(*rows, strict=True)
    learner.fit(texts, labels)
    return lambda asked: list(learner.predict(asked))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--model", default="qingyu-small-zh")
    parser.add_argument("--rows", type=int, nargs="+", default=[8, 64, 300])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--texts", type=int, default=400, help="of the dev file")
    arguments = parser.parse_args()
    train = read(arguments.labelled / SET / "train.jsonl")
    dev = read(arguments.labelled / SET / "dev.jsonl")
    asked = dev[:: max(1, len(dev) // arguments.texts)][: arguments.texts]
    model = qingyu.load(arguments.model)
    ways: dict[str, Learn] = {
        "TF-IDF": by_characters,
        "rows alone": by_teaching(model, names=False),
        "with names": by_teaching(model, names=True),
    }
    print(describe())
    print("| rows a label | way | accuracy, mean | least | most | seconds to learn |")
    print("|---|---|---|---|---|---|")
    for count in arguments.rows:
        for way, learn in ways.items():
            found, seconds = [], []
            for seed in range(arguments.draws):
                rows = drawn(train, count, seed)
                begun = time.perf_counter()
                answer = learn(rows)
                seconds.append(time.perf_counter() - begun)
                told = answer([text for text, _ in asked])
                right = sum(one == label for one, (_, label) in zip(told, asked, strict=True))
                found.append(right / len(asked))
            print(
                f"| {count} | {way} | {statistics.mean(found):.3f} | {min(found):.3f} "
                f"| {max(found):.3f} | {statistics.median(seconds):.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
