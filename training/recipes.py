"""What each head with layers of its own is trained on: rows of the labelled sets, capped.

Rows for choosing and calibrating (`tuning`) are split off by a hash of their text. Dev files are
read by evaluation alone.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training import contrast
from training.errors import RecipeError
from training.labelled import (
    HEADS,
    Dataset,
    Example,
    bio,
    example,
    feeling_pair,
    read_sets,
    topic_pair,
)

FINE_KINDS = (
    "name", "address", "scene", "company", "organization", "government", "position", "book",
    "movie", "game",
)  # fmt: skip
FINE_LABELS = ("O", *(f"{place}-{kind}" for kind in FINE_KINDS for place in "BI"))
TUNING = 20  # one row in so many


@dataclass(frozen=True)
class Row:
    """One thing to learn. Texts are strings, or tuples of characters for a token head.

    texts:  one text, or two that are read as a pair; of an embedding two that belong together and
            perhaps a third that does not
    labels: for each head its label, one a token for token heads; of an embedding {"score": s} for
            two texts graded from 0 to 1, else none
    source: the set it is from
    """

    texts: tuple[str | tuple[str, ...], ...]
    labels: dict[str, Any]
    source: str


@dataclass
class Rows:
    """Rows to train on and rows to tune on."""

    train: list[Row] = field(default_factory=list)
    tuning: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        key = "".join("".join(text) for text in row.texts[:1])
        digest = hashlib.sha256(key.encode()).digest()
        (self.tuning if digest[0] % TUNING == 0 else self.train).append(row)


@dataclass(frozen=True)
class Recipe:
    """kind and labels of each head that shares the layers; the rows; tokens a text at most."""

    kind: str
    heads: dict[str, tuple[str, ...]]
    rows: Callable[[Sequence[Dataset], random.Random, int], Rows]
    length: int
    layers: int
    lr: float = 3e-4
    batch: int = 32


def capped(dataset: Dataset, most: int, rng: random.Random) -> list[dict[str, Any]]:
    rows = dataset.rows
    return rows if len(rows) <= most else rng.sample(rows, most)


PAIR_ROWS = {
    "lcqmc_devtest": 13000, "bq_devtest": 10000, "afqmc": 12000, "atec": 6000,
    "simclue_1w": 3000, "sts_b_zh": 3000,
}  # fmt: skip
RULED = 0.8  # pairs by rule, as a share of the labelled ones
REWORDED = 0.25  # of the pairs: the checkpoint has seen them as they are


def similar(sets: Sequence[Dataset], rng: random.Random, most: int) -> Rows:
    rows = Rows()
    plain = []
    for dataset in (one for one in sets if one.task == "pair"):
        known = capped(dataset, min(most, PAIR_ROWS.get(dataset.name, 5000)), rng)
        for a, b, label in followed([raw for raw in known if "label" in raw], rng):
            rows.add(Row((a, b), {"similar": label}, f"{dataset.name}, followed"))
        for raw in known:
            found = example("pair", raw)
            if found is not None:
                label, texts = int(found.label), [raw["a"], raw["b"]]  # type: ignore[arg-type]
                plain.append((*texts, label))
                if rng.random() < REWORDED:
                    texts[0] = contrast.unchanged(texts[0], rng) or texts[0]
                rng.shuffle(texts)
                rows.add(Row((texts[0], texts[1]), {"similar": label}, dataset.name))
    short = [row for row in plain if len(row[0]) + len(row[1]) < 60]
    for _ in range(int(RULED * len(plain))):
        a, b, label = contrast.pair(short, rng)
        rows.add(Row((a, b), {"similar": label}, "rules"))
    return rows


def followed(rows: Sequence[dict[str, Any]], rng: random.Random) -> list[tuple[str, str, int]]:
    """Pairs (a, c, label) that follow from labelled ones and are not among them: two texts that
    mean the same as a third, and two of which one means the same as a third and the other does not.
    No more that differ than that agree; a text is in three of each kind at most.
    """
    same: dict[str, list[str]] = {}
    other: dict[str, list[str]] = {}
    known = {frozenset((row["a"], row["b"])) for row in rows}
    for row in rows:
        kind = same if row["label"] == 1 else other
        kind.setdefault(row["a"], []).append(row["b"])
        kind.setdefault(row["b"], []).append(row["a"])
    found: dict[int, list[tuple[str, str, int]]] = {0: [], 1: []}
    times: Counter[tuple[str, int]] = Counter()
    for middle, alike in same.items():
        for label, others in ((1, alike), (0, other.get(middle, []))):
            for a in alike:
                for c in others:
                    pair = frozenset((a, c))
                    if len(pair) < 2 or pair in known:
                        continue
                    if max(times[a, label], times[c, label]) < 3:
                        known.add(pair)
                        times.update([(a, label), (c, label)])
                        found[label].append((a, c, label))
    few = min(len(one) for one in found.values())
    return [*found[1], *rng.sample(found[0], few)]


NLI_ROWS = {"cmnli_devtest": 11000, "cnli_ccl2018": 8000, "csnli_devtest": 8000}


def inference(sets: Sequence[Dataset], rng: random.Random, most: int) -> Rows:
    rows = Rows()
    labels = HEADS["nli"][0]
    plain = []
    for dataset in (one for one in sets if one.task == "nli"):
        limit = NLI_ROWS.get(dataset.name, 3000)
        for raw in capped(dataset, min(most, limit), rng):
            texts = (raw["premise"], raw["hypothesis"])
            rows.add(Row(texts, {"nli": labels.index(raw["label"])}, dataset.name))
            plain.append((*texts, raw["label"]))
    for _ in range(int(0.06 * len(plain))):
        premise, hypothesis, label = rng.choice(plain)
        rule = rng.choice(contrast.APART)
        changed = rule(hypothesis if label == "entailment" else premise, rng)
        if changed:
            rows.add(Row((premise, changed), {"nli": 2}, "rules"))
        rows.add(Row((premise, premise), {"nli": 0}, "rules"))
    for dataset in (one for one in sets if one.task == "cls"):
        topics = sorted({raw["label"] for raw in dataset.rows})
        for raw in capped(dataset, min(most, 1000), rng):
            rows.add(asked(topic_pair(raw["text"][:80], raw["label"], topics, rng), dataset.name))
    for dataset in (one for one in sets if one.task == "sentiment"):
        for raw in capped(dataset, min(most, 300), rng):
            rows.add(asked(feeling_pair(raw["text"][:80], raw["label"], rng), dataset.name))
    return rows


def asked(made: Example, source: str) -> Row:
    """A premise and a hypothesis made of a labelled text."""
    return Row((str(made.first), made.second or ""), {"nli": made.label}, source)


def entities(sets: Sequence[Dataset], rng: random.Random, most: int) -> Rows:
    rows = Rows()
    for dataset in (one for one in sets if one.task == "ner"):
        for raw in capped(dataset, min(most, 46000), rng):
            labels = {"ner": bio(raw["tags"], HEADS["ner"][0])}
            if dataset.name.startswith("cluener"):
                labels["entities"] = tuple(FINE_LABELS.index(tag) for tag in raw["tags"])
            rows.add(Row((tuple(raw["text"]),), labels, dataset.name))
    return rows


def sentiment(sets: Sequence[Dataset], rng: random.Random, most: int) -> Rows:
    rows = Rows()
    limits = {"chnsenticorp": 7000, "waimai_10k": 3000, "online_shopping_10_cats": 4000}
    for dataset in (one for one in sets if one.task == "sentiment"):
        for raw in capped(dataset, min(most, limits.get(dataset.name, 2000)), rng):
            label = HEADS["sentiment"][0].index(raw["label"])
            rows.add(Row((raw["text"],), {"sentiment": label}, dataset.name))
    return rows


EMBED_ROWS = {
    "lcqmc_devtest": 20000, "bq_devtest": 5000, "afqmc": 9000, "atec": 9000,
    "simclue_1w": 5000, "sts_b_zh": 9000,
}  # fmt: skip


def embedding(sets: Sequence[Dataset], rng: random.Random, most: int) -> Rows:
    """Pairs that mean the same, with one of the same first text that does not where there is one;
    graded pairs with their score; premises with what they entail and what they contradict.
    """
    rows = Rows()
    for dataset in (one for one in sets if one.task == "pair"):
        apart: dict[str, list[str]] = {}
        kept = capped(dataset, min(most, EMBED_ROWS.get(dataset.name, 5000)), rng)
        for raw in kept:
            if raw.get("label") == 0:
                apart.setdefault(raw["a"], []).append(raw["b"])
                apart.setdefault(raw["b"], []).append(raw["a"])
        for raw in kept:
            a, b = raw["a"], raw["b"]
            if "score" in raw:
                rows.add(Row((a, b), {"score": raw["score"] / 5}, dataset.name))
            elif raw["label"] == 1 and a != b:
                third: tuple[str, ...] = tuple(apart.get(a) or apart.get(b) or ())[:1]
                if not third:
                    changed = rng.choice(contrast.APART)(a, rng)
                    third = (changed,) if changed else ()
                rows.add(Row((a, b, *third), {}, dataset.name))
    for dataset in (one for one in sets if one.task == "nli" and one.name.startswith("c")):
        by_premise: dict[str, dict[str, str]] = {}
        for raw in dataset.rows:
            by_premise.setdefault(raw["premise"], {})[raw["label"]] = raw["hypothesis"]
        found = [(p, said) for p, said in by_premise.items() if "entailment" in said]
        for premise, said in rng.sample(found, min(len(found), most, 1500)):
            third = (said["contradiction"],) if "contradiction" in said else ()
            rows.add(Row((premise, said["entailment"], *third), {}, dataset.name))
    return rows


RECIPES = {
    "similar": Recipe("seq", {"similar": HEADS["similar"][0]}, similar, 64, 2),
    "embedding": Recipe("embedding", {"embedding": ()}, embedding, 48, 1, batch=64),
    "ner": Recipe(
        "token",
        {"ner": HEADS["ner"][0], "entities": FINE_LABELS},
        entities,
        96,
        2,
        batch=16,
    ),
    "nli": Recipe("seq", {"nli": HEADS["nli"][0]}, inference, 80, 2),
    "sentiment": Recipe("seq", {"sentiment": HEADS["sentiment"][0]}, sentiment, 128, 2),
}


def gather(name: str, labelled: Path, seed: int, most: int) -> Rows:
    """The rows of one head's recipe. Raises RecipeError where the folder has none for it."""
    rows = RECIPES[name].rows(read_sets(labelled, "train"), random.Random(seed), most)
    random.Random(seed).shuffle(rows.tuning)
    if not rows.train or not rows.tuning:
        raise RecipeError(f"{labelled}: too few rows for the head {name}")
    return rows
