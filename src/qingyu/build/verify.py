"""What a build cost: the finished graphs against their FP32 reference, head by head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qingyu.bundle import HeadInfo, Manifest
from qingyu.engine.network import Network
from qingyu.text.tokenizer import Tokenizer
from qingyu.types import FloatArray, Query

SAMPLES = Path(__file__).parent / "samples.txt"
SEED = 20


def sample_queries(
    tokenizer: Tokenizer, heads: dict[str, HeadInfo], max_tokens: int, texts: Sequence[str]
) -> list[Query]:
    """Queries that ask every head about every text, and the encoder for all hidden states.

    A masked LM is asked for one token a text, at a place that a fixed seed draws.
    """
    draw = np.random.default_rng(SEED)
    queries = []
    for text in texts:
        ids = np.array(tokenizer.tokens(text).ids[: max_tokens - tokenizer.frame.size], np.int64)
        if not len(ids):
            continue
        first = len(tokenizer.frame.before[0])
        place = int(draw.integers(len(ids)))
        inside = np.arange(len(ids)) + first
        queries.append(Query(*tokenizer.framed(ids.tolist()), inside))
        for name, head in heads.items():
            if head.kind == "masked-lm":
                masked = ids.copy()
                masked[place] = tokenizer.mask_id
                asked = np.array([place + first])
                queries.append(Query(*tokenizer.framed(masked.tolist()), asked, name))
            else:
                asked = inside if head.kind == "token-classification" else np.array([0])
                queries.append(Query(*tokenizer.framed(ids.tolist()), asked, name))
    return queries


def answers(manifest: Manifest, queries: Sequence[Query]) -> list[FloatArray]:
    """What the bundle's own graphs answer; its sessions are gone afterwards."""
    return Network(manifest).run(queries)


def agreement(
    queries: Sequence[Query], reference: Sequence[FloatArray], result: Sequence[FloatArray]
) -> dict[str, Any]:
    """Mean cosine of hidden states, and for each head how often the best answer is the same and
    the mean Kullback-Leibler divergence KL(reference || result) in nats.
    """
    report: dict[str, Any] = {}
    for name in sorted({query.head for query in queries}):
        asked = [i for i, query in enumerate(queries) if query.head == name]
        before = np.concatenate([reference[i] for i in asked]).astype(np.float64)
        after = np.concatenate([result[i] for i in asked]).astype(np.float64)
        if not name:
            norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
            report["hidden"] = {"cosine": _rounded((before * after).sum(axis=1) / norms)}
            continue
        report[name] = {
            "rows": len(before),
            "top1": _rounded(before.argmax(axis=1) == after.argmax(axis=1)),
            "kl": _rounded(_divergence(before, after)),
        }
    return report


def _divergence(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> Any:
    p, q = _log_softmax(before), _log_softmax(after)
    return (np.exp(p) * (p - q)).sum(axis=1)


def _log_softmax(logits: np.ndarray[Any, Any]) -> Any:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _rounded(values: Any) -> float:
    return round(float(np.mean(values)), 6)
