"""What the default bundle answered to 300 texts, to be compared with what it answers now.

    python tests/engine/stored_answers.py     after a change that is meant to change answers

tests/engine/default-answers.npz holds, for each head, the texts in the order asked: fill-mask its
LIKELIEST best tokens and their log-probabilities; the encoder the first KEPT numbers of one hidden
state; other heads their logits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qingyu
from qingyu.model import Model
from qingyu.numbers import FloatArray, log_softmax
from qingyu.query import Query

GOLDEN = Path(__file__).parents[1] / "golden"
STORED = Path(__file__).with_name("default-answers.npz")
SHARES = {"fill-mask": 120, "": 60, "nli": 40, "sentiment": 40, "similar": 20, "ner": 20}
PAIRS = ("nli", "similar")
LIKELIEST, KEPT = 8, 32


def queries(model: Model) -> dict[str, list[Query]]:
    """300 lines, each asked of one head; a line and the one after it where a head reads pairs."""
    lines = (GOLDEN / "sentences.txt").read_text("utf-8").splitlines()
    found: dict[str, list[Query]] = {}
    start = 0
    for head, count in SHARES.items():
        found[head] = [_query(model, lines, start + i, head) for i in range(count)]
        start += count
    return found


def _query(model: Model, lines: list[str], line: int, head: str) -> Query:
    tokenizer = model.tokenizer
    ids = tokenizer.tokens(lines[line]).ids[:120]
    place = 1 + 7 * line % len(ids)
    if head in PAIRS:
        pair = tokenizer.framed_pair(ids, tokenizer.tokens(lines[line + 1]).ids[:120])
        return Query(*pair, np.array([0]), head)
    input_ids, types = tokenizer.framed(ids)
    if head == "fill-mask":
        assert tokenizer.mask_id is not None
        input_ids[place] = tokenizer.mask_id
    places = np.arange(len(input_ids)) if head == "ner" else np.array([place])
    return Query(input_ids, types, np.array([0]) if head == "sentiment" else places, head)


def answers(model: Model) -> dict[str, NDArray[Any]]:
    """As STORED holds them."""
    found: dict[str, NDArray[Any]] = {}
    for head, asked in queries(model).items():
        rows: FloatArray = np.concatenate(model.run(asked))
        if head == "fill-mask":
            best = np.argsort(-rows, axis=1, kind="stable")[:, :LIKELIEST]
            found["fill-mask.ids"] = best.astype(np.uint16)
            rows = np.take_along_axis(log_softmax(rows), best, axis=1)
        found[head or "hidden"] = rows if head else rows[:, :KEPT]
    return found


if __name__ == "__main__":
    np.savez_compressed(STORED, allow_pickle=False, **answers(qingyu.load(threads=1)))
