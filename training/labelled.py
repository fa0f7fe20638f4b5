"""Labelled sets to examples for the heads. Plain Python, no torch.

A folder holds `<task>/<dataset>/{train,dev}.jsonl`, one JSON object a line:

    nli        premise, hypothesis, label (entailment, neutral, contradiction)
    pair       a, b, label (0 or 1) or score (0 to 5)
    sentiment  text, label (正面, 负面)
    ner        text (a list of characters), tags (BIO)
    cls        text, label (a topic): read as premise and hypothesis for zero-shot

Training reads train.jsonl only, evaluation dev.jsonl only.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import RecipeError
from training.sources import refuse_held_out

# What the default model can do; a new model gets these heads.
HEADS: dict[str, tuple[tuple[str, ...], str]] = {
    "nli": (("entailment", "neutral", "contradiction"), "seq"),
    "sentiment": (("负面", "正面"), "seq"),
    "similar": (("不相似", "相似"), "seq"),
    "ner": (("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"), "token"),
}
HEAD_OF_TASK = {
    "nli": "nli",
    "pair": "similar",
    "sentiment": "sentiment",
    "ner": "ner",
    "cls": "nli",
}

# Fine-grained entity types to the three that the head knows; the rest count as O.
ENTITY = {
    "PER": "PER", "LOC": "LOC", "ORG": "ORG", "name": "PER", "address": "LOC", "scene": "LOC",
    "company": "ORG", "government": "ORG", "organization": "ORG",
}  # fmt: skip

TOPIC_TEMPLATES = (
    "这段话说的是{}。",
    "这是关于{}的内容。",
    "主题是{}。",
    "这句话和{}有关。",
    "这条新闻属于{}类。",
    "{}",
)
FEELING_TEMPLATES = ("这句话是{}的。", "说话的人态度{}。", "这是{}评价。", "情感倾向：{}")
FEELINGS = {"正面": ("正面", "积极", "满意"), "负面": ("负面", "消极", "不满")}


@dataclass(frozen=True)
class Example:
    """`first` is a text, or a tuple of characters for a token head; `label` an index, or one for
    each character.
    """

    head: str
    first: str | tuple[str, ...]
    second: str | None
    label: int | tuple[int, ...]


@dataclass(frozen=True)
class Dataset:
    """One labelled set: `rows` as they stand in the file."""

    task: str
    name: str
    rows: list[dict[str, Any]]


def read_sets(folder: Path, split: str) -> list[Dataset]:
    """All sets of a labelled folder that have this split ("train" or "dev")."""
    paths = sorted(folder.glob(f"*/*/{split}.jsonl"))
    if not paths:
        raise RecipeError(f"{folder}: no <task>/<dataset>/{split}.jsonl in it")
    sets = []
    for path in paths:
        if split == "train":
            refuse_held_out(path)
        task, name = path.parts[-3:-1]
        if task in HEAD_OF_TASK:
            with path.open(encoding="utf-8") as file:
                sets.append(Dataset(task, name, [json.loads(line) for line in file]))
    return sets


def bio(tags: Sequence[str], labels: Sequence[str]) -> tuple[int, ...]:
    """Tags of any set to indices of the three-type labels."""
    index = {label: i for i, label in enumerate(labels)}
    mapped = []
    for tag in tags:
        place, _, kind = tag.partition("-")
        mapped.append(index.get(f"{place}-{ENTITY.get(kind, kind)}", index["O"]))
    return tuple(mapped)


def example(task: str, row: dict[str, Any]) -> Example | None:
    """A row of a set as an example of its head; None where the row says nothing clear (a middling
    score).
    """
    if task == "nli":
        label = HEADS["nli"][0].index(row["label"])
        return Example("nli", row["premise"], row["hypothesis"], label)
    if task == "pair":
        if "label" in row:
            return Example("similar", row["a"], row["b"], int(row["label"]))
        if 2 < row["score"] < 4:
            return None
        return Example("similar", row["a"], row["b"], int(row["score"] >= 4))
    if task == "sentiment":
        return Example("sentiment", row["text"], None, HEADS["sentiment"][0].index(row["label"]))
    if task == "ner":
        return Example("ner", tuple(row["text"]), None, bio(row["tags"], HEADS["ner"][0]))
    return None


def topic_pair(text: str, label: str, others: Sequence[str], rng: random.Random) -> Example:
    """A premise and a hypothesis about its topic: entailment with its own label, contradiction
    with another's.
    """
    template = rng.choice(TOPIC_TEMPLATES)
    if rng.random() < 0.5 or len(others) < 2:
        return Example("nli", text, template.format(label), 0)
    other = rng.choice(others)
    while other == label:
        other = rng.choice(others)
    return Example("nli", text, template.format(other), 2)


def feeling_pair(text: str, label: str, rng: random.Random) -> Example:
    """The same with the feeling of a review."""
    said = rng.choice(sorted(FEELINGS))
    words = rng.choice(FEELING_TEMPLATES).format(rng.choice(FEELINGS[said]))
    return Example("nli", text, words, 0 if said == label else 2)


class Examples:
    """An endless supply for each head: first a set, the larger the likelier (by the square root),
    then a row of it.
    """

    ZERO_SHOT = 0.4  # share of the nli head's examples made from topics and feelings

    def __init__(self, sets: Sequence[Dataset], seed: int) -> None:
        self._rng = random.Random(seed)
        self._sets: dict[str, list[Dataset]] = {}
        for dataset in sets:
            if dataset.rows:
                self._sets.setdefault(dataset.task, []).append(dataset)
        self._topics = {
            dataset.name: sorted({row["label"] for row in dataset.rows})
            for dataset in self._sets.get("cls", [])
        }

    def heads(self) -> list[str]:
        """The heads there are examples for."""
        return sorted({HEAD_OF_TASK[task] for task in self._sets})

    def _row(self, task: str) -> tuple[Dataset, dict[str, Any]]:
        sets = self._sets[task]
        dataset = self._rng.choices(sets, [len(s.rows) ** 0.5 for s in sets])[0]
        return dataset, self._rng.choice(dataset.rows)

    def _nli(self) -> Example | None:
        zero_shot = [task for task in ("cls", "sentiment") if task in self._sets]
        if zero_shot and ("nli" not in self._sets or self._rng.random() < self.ZERO_SHOT):
            task = self._rng.choice(zero_shot)
            dataset, row = self._row(task)
            if task == "cls":
                return topic_pair(row["text"], row["label"], self._topics[dataset.name], self._rng)
            return feeling_pair(row["text"], row["label"], self._rng)
        return example("nli", self._row("nli")[1])

    def draw(self, head: str) -> Iterator[Example]:
        """Endless examples of one head."""
        task = next(task for task, name in HEAD_OF_TASK.items() if name == head)
        while True:
            found = self._nli() if head == "nli" else example(task, self._row(task)[1])
            if found is not None:
                yield found


def alike(drawn: Iterator[Example], size: int, seed: int) -> Iterator[list[Example]]:
    """Batches of `size` examples of about one length, so that little of a batch is padding: out of
    every eight batches' worth, in random order.
    """
    rng = random.Random(seed)
    while True:
        pool = [next(drawn) for _ in range(8 * size)]
        pool.sort(key=lambda item: len(item.first) + len(item.second or ""))
        batches = [pool[at : at + size] for at in range(0, len(pool), size)]
        rng.shuffle(batches)
        yield from batches


def read_csv(
    path: Path, labels: Sequence[str] | None = None
) -> tuple[list[Example], tuple[str, ...]]:
    """A user's CSV (UTF-8, a header line) with columns text, label and, for pairs, text2: examples
    of head "task".

    Labels are numbered in sorted order unless given. Raises RecipeError for a missing column, an
    empty text, or a label that is not among those given.
    """
    refuse_held_out(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = set(reader.fieldnames or ())
        rows = list(reader)
    if not {"text", "label"} <= columns:
        raise RecipeError(f"{path}: needs the columns text and label, has {sorted(columns)}")
    names = tuple(labels) if labels else tuple(sorted({row["label"] for row in rows}))
    index = {name: i for i, name in enumerate(names)}
    examples = []
    for number, row in enumerate(rows, 2):
        if not row["text"] or row["label"] not in index:
            raise RecipeError(
                f"{path}, line {number}: text {row['text']!r}, label {row['label']!r}; a text "
                f"may not be empty and a label must be one of {', '.join(names)}"
            )
        examples.append(Example("task", row["text"], row.get("text2") or None, index[row["label"]]))
    if len(names) < 2:
        raise RecipeError(f"{path}: only {len(names)} label in {len(rows)} rows; two are the least")
    return examples, names


def read_texts(path: Path) -> list[Example]:
    """The texts of a CSV, column text and, for pairs, text2; labels, if any, are not looked at."""
    refuse_held_out(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not rows[0].get("text"):
        raise RecipeError(f"{path}: needs a column text and at least one row")
    return [
        Example("task", row["text"], row.get("text2") or None, 0) for row in rows if row["text"]
    ]
