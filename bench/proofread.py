"""How well `check` finds and mends mistakes, how quiet it is on correct text, and how fast.

    python -m bench.proofread --dev csc/sighan14_dev.jsonl --clean corpus/valid.txt --json out.json

Sentence-level figures as the field gives them: a sentence counts as detected where exactly the
wrong characters are changed, as corrected where they are changed to exactly what was meant;
precision is of the sentences that were changed, recall of those with a mistake. In `mistakes/`
lie 200 everyday sentences that are correct and 120 as pupils get them wrong, ten kinds of mistake,
written for this; every second one of a kind is held out and never looked at while tuning, and so
is half of the clean lines.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import qingyu
from qingyu.results import CheckResult

HERE = Path(__file__).parent / "mistakes"
CLEAN = 1000  # lines
SPEED_SECONDS = 5.0

Check = Callable[[list[str]], list[CheckResult]]
Pair = tuple[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="qingyu-small-zh", help="name or folder")
    parser.add_argument("--dev", type=Path, help="JSON lines with `text` and `correct`")
    parser.add_argument("--clean", type=Path, help="correct lines; the held-out half is measured")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args()
    with closing(qingyu.load(args.model, threads=args.threads)) as model:
        figures = measure(model.check, args.dev, args.clean)
        figures["speed"] = speed(model.check)
    for name, value in figures.items():
        print(f"{name}: {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), "utf-8")


def measure(check: Check, dev: Path | None, clean: Path | None) -> dict[str, Any]:
    """All figures of quality."""
    figures: dict[str, Any] = {}
    if dev is not None:
        rows = [json.loads(line) for line in dev.read_text("utf-8").splitlines()]
        figures["dev"] = sentences(check, [(row["text"], row["correct"]) for row in rows])
    if clean is not None:
        figures["clean"] = changed(check, halves(clean)[1][:CLEAN])
    figures["everyday"] = changed(check, lines_of(HERE / "everyday.txt"))
    for half, name in enumerate(("school", "school held out")):
        figures[name] = school(check, half)
    return figures


def lines_of(path: Path) -> list[str]:
    """Lines that are neither blank nor comments."""
    lines = path.read_text("utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("# ")]


def halves(path: Path) -> tuple[list[str], list[str]]:
    """The lines in a fixed random order: a half to tune on, and a half to measure on."""
    lines = [line.strip() for line in lines_of(path)]
    random.Random(7).shuffle(lines)
    return lines[: len(lines) // 2], lines[len(lines) // 2 :]


def sentences(check: Check, pairs: Sequence[Pair]) -> dict[str, float]:
    """Precision, recall and F1 of whole sentences, and the share of correct ones changed."""
    results = check([text for text, _ in pairs])
    hits = {"detection": 0, "correction": 0}
    touched = false = 0
    for (text, right), result in zip(pairs, results, strict=True):
        found = result.corrected
        touched += found != text
        false += found != text and text == right
        if text != right and found != text:
            hits["correction"] += found == right
            hits["detection"] += differing(text, found) == differing(text, right)
    wrong = sum(text != right for text, right in pairs)
    told = {"sentences": len(pairs), "false alarms": round(false / max(1, len(pairs) - wrong), 4)}
    for name, hit in hits.items():
        precision, recall = hit / max(1, touched), hit / max(1, wrong)
        f1 = 2 * hit / max(1, touched + wrong)
        told |= {
            f"{name} precision": round(precision, 4),
            f"{name} recall": round(recall, 4),
            f"{name} F1": round(f1, 4),
        }
    return told


def differing(text: str, other: str) -> list[int] | None:
    """Where two texts of one length differ; None where their lengths do."""
    if len(text) != len(other):
        return None
    return [i for i, (a, b) in enumerate(zip(text, other, strict=True)) if a != b]


def changed(check: Check, lines: Sequence[str]) -> dict[str, Any]:
    """The share of correct lines that are changed."""
    results = check(list(lines))
    hit = sum(result.corrected != result.text for result in results)
    return {"lines": len(lines), "changed": hit, "share": round(hit / len(lines), 4)}


def school(check: Check, half: int) -> dict[str, Any]:
    """Of a half of the sentences with mistakes: mended, changed into something else, left."""
    kinds: dict[str, list[Pair]] = {}
    for line in lines_of(HERE / "school.tsv"):
        kind, text, right = line.split("\t")
        kinds.setdefault(kind, []).append((text, right))
    told: dict[str, Any] = {}
    totals = [0, 0, 0]
    for kind, pairs in kinds.items():
        some = pairs[half::2]
        found = [result.corrected for result in check([text for text, _ in some])]
        mended = sum(a == right for a, (_, right) in zip(found, some, strict=True))
        left = sum(a == text for a, (text, _) in zip(found, some, strict=True))
        told[kind] = f"{mended}/{len(some)}"
        totals = [a + b for a, b in zip(totals, (len(some), mended, left), strict=True)]
    number, mended, left = totals
    wrongly = number - mended - left
    return {
        "sentences": number,
        "mended": round(mended / number, 4),
        "mended wrongly": round(wrongly / number, 4),
        **told,
    }


def speed(check: Check) -> dict[str, float]:
    """Sentences of about 30 characters a second, and seconds for a page of 2,000 characters."""
    everyday = lines_of(HERE / "everyday.txt")
    some = [one for one in everyday if 22 <= len(one) <= 40]
    characters = sum(map(len, some))
    check(some)
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < SPEED_SECONDS:
        check(some)
        done += characters
    taken = time.perf_counter() - start
    page = "".join(everyday)[:2000]
    start = time.perf_counter()
    check([page])
    return {
        "sentences of 30 characters a second": round(done / 30 / taken, 1),
        "seconds for 2,000 characters": round(time.perf_counter() - start, 2),
    }


if __name__ == "__main__":
    main()
