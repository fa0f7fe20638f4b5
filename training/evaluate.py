"""Measure a bundle or a checkpoint.

    python -m training.evaluate BUNDLE_OR_CHECKPOINT --text valid.txt --labelled labelled

Prints, and with `--json` writes: masked accuracy on held-out text, the committed cloze list by
group, and the heads' scores on the dev files of a labelled folder. Everything is fixed by the
seed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from qingyu.tasks.parts.labelling import entities
from training.data import join_lines
from training.errors import run
from training.labelled import HEADS, Dataset, bio, example, read_sets
from training.subjects import Subject, open_subject

CLOZE = Path(__file__).with_name("cloze.tsv")
GROUPS = (
    "idiom", "bare", "two", "verse", "half", "common", "everyday", "collocation", "polite",
    "measure",
)  # fmt: skip
HALVES = ("all", "tuning", "kept")  # of the list: what is tuned may look at one half only
SHORT, FAR = range(126), range(256, 500)  # tokens of a text among which one is masked
MOST_TOPICS = 20  # zero-shot asks every text about every topic


@dataclass(frozen=True)
class Cloze:
    """One item of the cloze list: a text with [MASK], of the group `two` twice side by side, and
    what fits there."""

    group: str
    text: str
    answers: tuple[str, ...]

    @property
    def half(self) -> str:
        """Which half of the list it belongs to, by its text alone: nobody chose."""
        return "kept" if hashlib.sha256(self.text.encode()).digest()[0] < 128 else "tuning"


def read_cloze(path: Path = CLOZE) -> list[Cloze]:
    """The cloze list: tab-separated group, text with [MASK], answers separated by |; a header line
    first.
    """
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    columns = (line.split("\t") for line in lines)
    return [Cloze(group, text, tuple(answers.split("|"))) for group, text, answers in columns]


def cloze_scores(subject: Subject, items: Sequence[Cloze]) -> dict[str, dict[str, float]]:
    """Top-1 and top-5 accuracy by group, with the number of items.

    Items with several masks are left out where the subject cannot fill them together.
    """
    items = [item for item in items if subject.joint or item.text.count("[MASK]") == 1]
    found = subject.fill([item.text for item in items], 5)
    scores: dict[str, dict[str, float]] = {}
    for group in dict.fromkeys(item.group for item in items):
        pairs = [(i.answers, f) for i, f in zip(items, found, strict=True) if i.group == group]
        top1 = sum(tokens[0] in answers for answers, tokens in pairs)
        top5 = sum(bool(set(tokens) & set(answers)) for answers, tokens in pairs)
        scores[group] = {"n": len(pairs), "top1": top1 / len(pairs), "top5": top5 / len(pairs)}
    return scores


def mask_one(
    lines: Sequence[str], tokenizer: Tokenizer, count: int, seed: int, asked: range = SHORT
) -> tuple[list[str], list[str]]:
    """`count` lines, evenly spaced, each with one random token replaced by [MASK]; and those
    tokens.

    The token stands at one of the positions `asked`, and a line is cut after the last. Only a
    token that stands for a whole word or character and is in the vocabulary is asked for: pieces
    of a word change their spelling once a neighbour is masked.
    """
    rng = random.Random(seed)
    step = max(1, len(lines) // count)
    texts, answers = [], []
    for line in lines[::step]:
        encoding = tokenizer.encode(line, add_special_tokens=False)
        tokens, offsets = encoding.tokens[: asked.stop], encoding.offsets[: asked.stop]
        follows = [token.startswith("##") for token in encoding.tokens] + [False]
        whole = [
            i
            for i, token in enumerate(tokens)
            if i in asked and not follows[i] and not follows[i + 1] and not token.startswith("[")
        ]
        if not whole or "[MASK]" in line:
            continue
        at = rng.choice(whole)
        start, stop = offsets[at]
        texts.append(line[:start] + "[MASK]" + line[stop : offsets[-1][1]])
        answers.append(tokens[at])
    return texts[:count], answers[:count]


def read_lines(path: Path) -> list[str]:
    """The lines of a file that hold something."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").split("\n"))
    return [line for line in lines if line]


def masked_accuracy(
    subject: Subject, tokenizer: Tokenizer, lines: Sequence[str], count: int, seed: int,
    asked: range = SHORT,
) -> dict[str, float]:  # fmt: skip
    """Share of single masked tokens of held-out text that come first, and that come among five."""
    texts, answers = mask_one(lines, tokenizer, count, seed, asked)
    found = subject.fill(texts, 5)
    top1 = sum(tokens[0] == answer for tokens, answer in zip(found, answers, strict=True))
    top5 = sum(answer in tokens for tokens, answer in zip(found, answers, strict=True))
    return {"n": len(texts), "top1": top1 / len(texts), "top5": top5 / len(texts)}


def f1(right: int, told: int, true: int) -> float:
    """Harmonic mean of precision and recall."""
    return 2 * right / (told + true) if told + true else 0.0


def ner_scores(subject: Subject, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Entity F1 (start, end and type right) and token F1 (the tag right, O not counted)."""
    names = HEADS["ner"][0]
    truth = [[names[i] for i in bio(row["tags"], names)] for row in rows]
    told = subject.tags([row["text"] for row in rows])
    entity, token = [0, 0, 0], [0, 0, 0]
    for t, p in zip(truth, told, strict=True):
        a, b = entities(t), entities(p)
        entity = [n + m for n, m in zip(entity, (len(a & b), len(b), len(a)), strict=True)]
        right = sum(x == y != "O" for x, y in zip(t, p, strict=True))
        counted = (right, sum(y != "O" for y in p), sum(x != "O" for x in t))
        token = [n + m for n, m in zip(token, counted, strict=True)]
    return {"n": len(rows), "entity_f1": f1(*entity), "token_f1": f1(*token)}


def set_scores(subject: Subject, dataset: Dataset, limit: int) -> dict[str, float] | None:
    """Scores of one labelled dev set, on at most `limit` rows spread over it; None if not
    applicable.
    """
    rows = dataset.rows[:: max(1, len(dataset.rows) // limit)][:limit]
    if dataset.task == "ner":
        return ner_scores(subject, rows) if "ner" in subject.heads else None
    if dataset.task == "cls":
        topics = sorted({row["label"] for row in dataset.rows})
        if "nli" not in subject.heads or len(topics) > MOST_TOPICS:
            return None
        told = subject.zero_shot([row["text"] for row in rows], topics)
        right = sum(row["label"] == topic for row, topic in zip(rows, told, strict=True))
        return {"n": len(rows), "zero_shot_accuracy": right / len(rows)}
    examples = [found for row in rows if (found := example(dataset.task, row))]
    head = examples[0].head
    if head not in subject.heads:
        return None
    first = [str(item.first) for item in examples]
    if head == "sentiment":
        labels = subject.classify(first)
    else:
        labels = subject.pairs(head, first, [item.second or "" for item in examples])
    names = HEADS[head][0]
    right = sum(names[i.label] == told for i, told in zip(examples, labels, strict=True))  # type: ignore[index]
    return {"n": len(examples), "accuracy": right / len(examples)}


def show(name: str, scores: dict[str, float]) -> None:
    told = "  ".join(f"{key} {value:.3f}" for key, value in scores.items() if key != "n")
    print(f"{name:<36} n {scores['n']:<6} {told}", flush=True)


def main(argv: Sequence[str] | None = None) -> dict[str, dict[str, float]]:
    parser = argparse.ArgumentParser(description="Measure a bundle or a checkpoint.")
    parser.add_argument("model", type=Path, help="a bundle or a checkpoint directory")
    parser.add_argument("--text", type=Path, help="held-out text, for masked accuracy")
    parser.add_argument("--lines", type=int, default=400, help="lines of it (%(default)s)")
    parser.add_argument(
        "--cloze", type=Path, default=CLOZE, help="the cloze list (the committed one)"
    )
    parser.add_argument(
        "--half", choices=HALVES, default="all",
        help="of the cloze list: what tuning may look at, or what it never did (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--labelled", type=Path, help="folder of labelled sets; dev files are read")
    parser.add_argument("--limit", type=int, default=2000, help="rows of a dev set (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the scores here too")
    parser.add_argument("--tiny", action="store_true", help="a few items of everything")
    args = parser.parse_args(argv)
    if args.tiny:
        args.lines, args.limit = min(args.lines, 8), min(args.limit, 8)

    subject, tokenizer = open_subject(args.model)
    scores: dict[str, dict[str, float]] = {}

    def record(name: str, found: dict[str, float]) -> None:
        scores[name] = found
        show(name, found)

    if args.text:
        lines = read_lines(args.text)
        record("masked/held-out", masked_accuracy(subject, tokenizer, lines, args.lines, args.seed))
        # Far into a text a model may never have been: neighbouring lines are joined to get there.
        joined = [text for text in join_lines(lines, 2 * FAR.stop) if len(text) >= 2 * FAR.stop]
        if joined and subject.places >= FAR.stop + 2:
            found = masked_accuracy(subject, tokenizer, joined, args.lines // 4, args.seed, FAR)
            record("masked/far", found)
    items = [one for one in read_cloze(args.cloze) if args.half in ("all", one.half)]
    for group, found in cloze_scores(subject, items[::40] if args.tiny else items).items():
        record(f"cloze/{group}", found)
    for dataset in read_sets(args.labelled, "dev") if args.labelled else ():
        if measured := set_scores(subject, dataset, args.limit):
            record(f"{dataset.task}/{dataset.name}", measured)
    if args.json:
        args.json.write_text(json.dumps(scores, indent=1, ensure_ascii=False), encoding="utf-8")
    return scores


if __name__ == "__main__":
    run(main)
