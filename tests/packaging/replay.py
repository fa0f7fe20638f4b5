"""Ask the installed package what the reference was asked; print how far the answers differ.

    python replay.py GOLDEN_FOLDER

Needs nothing but qingyu and numpy, and is run by an interpreter that has nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import qingyu

TIE = 0.02  # two tokens whose probabilities are this close are equally good answers


def main(golden: Path) -> None:
    lines = (golden / "sentences.txt").read_text(encoding="utf-8").splitlines()
    reference = np.load(golden / "default-fill-mask.npz")
    texts = [
        f"{line[:at]}[MASK]{line[at + 1 :]}"
        for line, at in zip(lines, reference["mask_char"], strict=True)
    ]
    model = qingyu.load()
    queries = [next(model.steps("fill-mask", text)) for text in texts]
    logits = np.concatenate(model.run([query for asked in queries for query in asked]))
    logits = logits.astype(np.float64)
    shift = logits.max(axis=1, keepdims=True)
    log_probs = logits - shift - np.log(np.exp(logits - shift).sum(axis=1, keepdims=True))

    ids = reference["top_ids"].astype(np.int64)
    ours = np.take_along_axis(log_probs, ids, axis=1)
    theirs = reference["top_log_probs"].astype(np.float64)
    best = log_probs.argmax(axis=1)
    # What the reference thinks of our best token: 0 where it is not among its first 64.
    share = np.where(ids == best[:, None], np.exp(theirs), 0).max(axis=1)
    said = {
        "texts": len(texts),
        "same_best": float((best == ids[:, 0]).mean()),
        "same_best_or_tied": float((np.exp(theirs[:, 0]) - share <= TIE).mean()),
        "divergence": float(divergence(theirs, ours).mean()),
        "module": qingyu.__file__,
    }
    print(json.dumps(said))


def divergence(theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """KL(reference || ours) of each row in nats, all other tokens counted as one."""
    p, q = np.exp(theirs), np.exp(ours)
    rest_p = np.clip(1 - p.sum(axis=1), 1e-12, None)
    rest_q = np.clip(1 - q.sum(axis=1), 1e-12, None)
    return (p * (theirs - ours)).sum(axis=1) + rest_p * np.log(rest_p / rest_q)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
