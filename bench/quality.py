"""How good a bundle is on labelled sets and on lists written for this: the table of its card.

    python -m bench.quality LABELLED [--model NAME] [--task TASK ...] [--limit N] [--card]

LABELLED is a folder, or an archive of one, that holds <task>/<dataset>/dev.jsonl as the training
recipe reads them. All answers come through the public Python API of the bundle as it ships. The
task `cls` asks for topics without training: of headlines.tsv, written for this project, which no
model has been trained on, and of a set of topics, from its train.jsonl where there is no other. The
task `written` measures the lists of written/, see quality_written.py. Beside a measure stands the
expected calibration error of the probabilities that were told (ten bins; of entities, their own).
With --card the table takes the place of the last one in the bundle's README.md.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import qingyu
from bench.quality_written import Measured, judged, written
from qingyu.model import Model
from qingyu.tasks.parts.labelling import entities

Row = dict[str, Any]
Found = dict[str, Measured]
# Entity types of the sets to those of the model; the rest do not count.
ENTITY = {
    "PER": "PER", "LOC": "LOC", "ORG": "ORG", "name": "PER", "address": "LOC", "scene": "LOC",
    "company": "ORG", "government": "ORG", "organization": "ORG",
}  # fmt: skip
TEMPLATES = ["这段话说的是{}。", "主题是{}。", "这是关于{}的内容。"]
WAYS: dict[str, dict[str, Any]] = {
    "no template": {"hypothesis_template": "{}"},
    "default template": {},
    "three templates": {"hypothesis_template": TEMPLATES},
    "cloze": {"method": "cloze"},
    "both": {"method": "both"},
}
HEADLINES = Path(__file__).parent / "headlines.tsv"


@dataclass(frozen=True)
class Figure:
    """One line of the table; no calibration error where no probabilities are told."""

    task: str
    name: str
    rows: int
    measure: str
    value: float
    calibration_error: float | None
    seconds: float


def read_sets(source: Path) -> dict[tuple[str, str], tuple[str, bytes]]:
    """For each task and dataset of a folder or an archive: the split to measure, and its file.

    That is dev; of the topics without one, train.
    """
    found: dict[tuple[str, str], tuple[str, bytes]] = {}
    for path, raw in _files(source):
        task, name, split = (*path.split("/")[-3:-1], path.split("/")[-1].removesuffix(".jsonl"))
        wanted = task in MEASURES and (task != "cls" or name in TOPICS)
        if wanted and (split == "dev" or (split, task) == ("train", "cls")):
            found[task, name] = max(found.get((task, name), ("", b"")), (split, raw()), key=_dev)
    found["cls", "headlines"] = ("of this project", _headlines())
    order = list(MEASURES)
    return dict(sorted(found.items(), key=lambda item: (order.index(item[0][0]), item[0])))


def _headlines() -> bytes:
    """The headlines as lines of JSON."""
    lines = HEADLINES.read_text("utf-8").splitlines()
    rows = [dict(zip(("text", "label"), line.split("\t"), strict=True)) for line in lines[1:]]
    return "\n".join(json.dumps(row) for row in rows).encode()


def _dev(one: tuple[str, bytes]) -> int:
    return ["", "train", "dev"].index(one[0])


def _files(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if source.is_dir():
        for path in sorted(source.glob("**/*.jsonl")):
            yield path.as_posix(), path.read_bytes
        return
    with tarfile.open(source) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None and member.name.endswith(".jsonl"):
                yield member.name, file.read


def spans(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """(start, end, type) of the entities of a BIO sequence, as types of the model."""
    return {(start, end, ENTITY[kind]) for start, end, kind in entities(tags) if kind in ENTITY}


def sentiment(model: Model, rows: list[Row]) -> Found:
    results = model.classify([row["text"] for row in rows], head="sentiment")
    right = [r.label == row["label"] for r, row in zip(results, rows, strict=True)]
    return {"accuracy": judged(right, [r.score for r in results])}


def pairs(model: Model, rows: list[Row]) -> Found:
    """Same or not; of graded pairs, the order of their vectors' cosines (Spearman)."""
    first, second = [row["a"] for row in rows], [row["b"] for row in rows]
    if "score" in rows[0]:
        cosines = (model.encode(first) * model.encode(second)).sum(axis=1)
        return {"Spearman of embeddings": Measured(spearman(cosines, [r["score"] for r in rows]))}
    told = [result.score for result in model.similarity(first, second)]
    right = [(one > 0.5) == bool(row["label"]) for one, row in zip(told, rows, strict=True)]
    return {"accuracy": judged(right, [max(one, 1 - one) for one in told])}


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Correlation of ranks, equal values with their mean rank."""
    ranks = []
    for values in (np.asarray(a), np.asarray(b)):
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[place])
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def inference(model: Model, rows: list[Row]) -> Found:
    tasks = [
        model.steps("text-classification", row["premise"], row["hypothesis"], head="nli")
        for row in rows
    ]
    found = model.complete_all(tasks)
    right = [result.label == row["label"] for result, row in zip(found, rows, strict=True)]
    return {"accuracy": judged(right, [result.score for result in found])}


def entity_f1(model: Model, rows: list[Row]) -> Found:
    """Entity F1: start, end and type all right."""
    hits: list[bool] = []
    chances: list[float] = []
    true = 0
    results = model.token_classification(["".join(row["text"]) for row in rows], head="ner")
    for result, row in zip(results, rows, strict=True):
        known = spans(row["tags"])
        hits += [(one.start, one.end, one.label) in known for one in result.entities]
        chances += [one.score for one in result.entities]
        true += len(known)
    f1 = 2 * sum(hits) / (len(hits) + true)
    return {"entity F1": Measured(f1, judged(hits, chances).calibration_error)}


def topics(model: Model, rows: list[Row]) -> Found:
    labels = sorted({row["label"] for row in rows})
    texts = [row["text"] for row in rows]
    found = {}
    for way, parameters in WAYS.items():
        results = model.zero_shot(texts, labels, **parameters)
        right = [r.labels[0] == row["label"] for r, row in zip(results, rows, strict=True)]
        told = judged(right, [r.scores[0] for r in results])
        found[f"accuracy of {len(labels)} labels, {way}"] = told
    return found


MEASURES: dict[str, Callable[[Model, list[Row]], Found]] = {
    "sentiment": sentiment,
    "pair": pairs,
    "nli": inference,
    "ner": entity_f1,
    "cls": topics,
}
WRITTEN = "written"
TASKS = [*MEASURES, WRITTEN]
TOPICS = ("tnews",)
TOPIC_ROWS = 1000  # at most, spread over the set: every row is asked about every topic, many times
HEADING = [
    "| task | set | rows | measure | value | calibration error |",
    "|---|---|---|---|---|---|",
]
BEGIN, END = "<!-- quality: written by bench/quality.py -->", "<!-- end of quality -->"


def measure(model: Model, source: Path, tasks: Sequence[str], limit: int) -> Iterator[Figure]:
    for (task, name), (split, raw) in read_sets(source).items():
        if task not in tasks:
            continue
        rows = [json.loads(line) for line in raw.decode().split("\n") if line]
        most = min(limit, TOPIC_ROWS) if task == "cls" else limit
        rows = rows[:: max(1, len(rows) // most)][:most]
        if not rows:
            continue
        begun = time.perf_counter()
        for what, told in MEASURES[task](model, rows).items():
            seconds = time.perf_counter() - begun
            where = f"{name} {split}"
            yield Figure(task, where, len(rows), what, told.value, told.calibration_error, seconds)
            begun += seconds
    if WRITTEN in tasks:
        begun = time.perf_counter()
        for name, count, what, told in written(model):
            seconds = time.perf_counter() - begun
            yield Figure(WRITTEN, name, count, what, told.value, told.calibration_error, seconds)
            begun += seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--model", default="qingyu-small-zh")
    parser.add_argument(
        "--task", action="append", choices=TASKS, help="only this one; may come again"
    )
    parser.add_argument(
        "--limit", type=int, default=1 << 30, help="rows of each set, spread over it"
    )
    parser.add_argument("--card", action="store_true", help="write the table into the model's card")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    model = qingyu.load(arguments.model)
    lines = [f"{model.name} {model.manifest.precision}, manifest {model.digest[:12]}", "", *HEADING]
    card = model.manifest.path / "README.md"
    if arguments.card and not all(mark in card.read_text("utf-8") for mark in (BEGIN, END)):
        parser.error(f"{card} has no place for the table: {BEGIN} and {END}")
    print("\n".join(lines), flush=True)
    figures = []
    for one in measure(model, arguments.labelled, arguments.task or TASKS, arguments.limit):
        figures.append(vars(one))
        error = "" if one.calibration_error is None else f"{one.calibration_error:.3f}"
        row = f"| {one.task} | {one.name} | {one.rows:,} | {one.measure} | {one.value:.3f} "
        row += f"| {error} |"
        lines.append(row)
        print(row, flush=True)
    if arguments.card:
        text = card.read_text("utf-8")
        before, after = text[: text.index(BEGIN)], text[text.index(END) :]
        card.write_text(f"{before}{BEGIN}\n{chr(10).join(lines)}\n{after}", "utf-8")
    if arguments.json:
        about = {"model": model.name, "digest": model.digest, "figures": figures}
        arguments.json.write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
