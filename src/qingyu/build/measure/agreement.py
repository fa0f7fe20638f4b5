"""Agreement of a bundle's answers with those of its reference, head by head."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from qingyu.build.measure.probe import Observation
from qingyu.bundle import HeadInfo, Manifest
from qingyu.errors import AgreementError
from qingyu.numbers import FloatArray, log_softmax, sigmoid
from qingyu.tasks.parts.labelling import entities

ENOUGH_SPANS = 100
# What is nearer to the reference than each precision is, the smallest first.
HIGHER = {
    "int4": ("int8", "fp16"),
    "int7": ("int8", "fp16"),
    "int8": ("fp16", "fp32"),
    "bf16": ("fp16", "fp32"),
    "fp16": ("fp32",),
}
NORMAL_95 = 1.96  # standard deviations on either side that hold 95 % of a normal distribution

Report = dict[str, dict[str, Any]]


def compare(manifest: Manifest, before: Observation, after: Observation) -> Report:
    """{"hidden": {cosine}, head: {rows, agreement, error, ...}}, numbers rounded to 6 places.

    agreement  masked LM and one-label classifiers: share of rows with the same best answer;
               several labels: share of labels decided alike; regression: correlation; embeddings:
               mean cosine;
               token classifiers: F1 of the spans, or where the samples hold too few of them to
               tell, the share of tokens with the same label
    rows       how many rows, labels or spans that share is of
    error      one standard error of it, sqrt(p (1 - p) / rows)
    kl         mean Kullback-Leibler divergence KL(before || after) in nats
    """
    norms = np.linalg.norm(before.hidden, axis=1) * np.linalg.norm(after.hidden, axis=1)
    cosine = (before.hidden * after.hidden).sum(axis=1) / np.maximum(norms, 1e-12)
    report: Report = {"hidden": {"rows": len(cosine), "cosine": _mean(cosine)}}
    for name, head in manifest.heads.items():
        row = _compare_head(head, before.heads[name], after.heads[name])
        share = min(max(row["agreement"], 0.0), 1.0)
        row["error"] = round(math.sqrt(share * (1 - share) / max(row["rows"], 1)), 6)
        report[name] = row
    return report


def shares(report: Report) -> dict[str, float]:
    """Each head's agreement, the lowest first; of the hidden states where there is no head."""
    by_head = {name: row["agreement"] for name, row in report.items() if "agreement" in row}
    by_head = by_head or {"hidden": report["hidden"]["cosine"]}
    return dict(sorted(by_head.items(), key=lambda pair: pair[1]))


def lowest(report: Report) -> tuple[str, float]:
    """The head that agrees least, or the hidden states where there is no head."""
    return next(iter(shares(report).items()))


def interval(share: float, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share counted over `rows` (Wilson 1927); with none, the share."""
    if not rows or not 0 <= share <= 1:
        return share, share
    square = NORMAL_95**2 / rows
    middle = (share + square / 2) / (1 + square)
    reach = math.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def told(row: dict[str, Any]) -> str:
    """A head's agreement as a person reads it: what it was, and between which bounds it may be with
    so many rows."""
    low, high = interval(row["agreement"], row["rows"])
    return f"{row['agreement']:.2%} (95 %: {low:.1%} – {high:.1%}, n={row['rows']})"


def require(report: Report, least: float, precision: str) -> None:
    """Raises AgreementError where some head surely agrees with its reference less than `least`:
    where all of the 95 % interval around its share lies below, so that no refusal is chance."""
    for name, share in shares(report).items():
        rows = report[name].get("rows", 0)
        low, high = interval(share, rows)
        if high < least:
            break
    else:
        return
    higher = HIGHER.get(precision, ())
    zh = f"换更高的精度（--precision {' 或 '.join(higher)}），" if higher else ""
    en = f"try a higher precision (--precision {' or '.join(higher)}), " if higher else ""
    raise AgreementError(
        f"{name} 与参照的一致率为 {share:.2%}（{rows} 行，95% 区间 {low:.2%} 至 {high:.2%}），"
        f"低于要求的 {least:.2%}，没有写出任何文件。可以{zh}剪过的话少剪一些，用 --calibration "
        "给出与用途相近的文本，或用 --min-agreement 放宽要求。",
        f"{name} agrees with its reference in {share:.2%} ({rows} rows, 95 % interval {low:.2%} to "
        f"{high:.2%}), below the {least:.2%} required; nothing was written. You may {en}prune "
        "less where you prune, give texts like yours by --calibration, or allow less by "
        "--min-agreement.",
    )


def _compare_head(head: HeadInfo, before: FloatArray, after: FloatArray) -> dict[str, Any]:
    row: dict[str, Any] = {"rows": len(before)}
    if head.problem == "regression":
        return row | {"agreement": _correlation(before, after), "largest": _largest(before, after)}
    if head.kind == "embedding":
        lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        return row | {"agreement": _mean((before * after).sum(axis=1) / np.maximum(lengths, 1e-12))}
    if head.problem == "multi_label" or head.kind == "detection":
        p, q = sigmoid(before), sigmoid(after)
        return row | {"agreement": _mean((p > 0.5) == (q > 0.5)), "largest": _largest(p, q)}
    best, now = before.argmax(axis=1), after.argmax(axis=1)
    top1 = _mean(best == now)
    row |= {"agreement": top1, "top1": top1, "kl": _mean(list(_divergences(before, after)))}
    if head.kind == "token-classification":
        old, new = (entities([head.labels[i] for i in answer]) for answer in (best, now))
        row["spans"] = len(old)
        row["span_f1"] = round(2 * len(old & new) / max(len(old) + len(new), 1), 6)
        if len(old) >= ENOUGH_SPANS:
            row |= {"agreement": row["span_f1"], "rows": len(old)}
    return row


def _divergences(before: FloatArray, after: FloatArray) -> Iterator[float]:
    """Row by row: two vocabularies' worth in float64 is all this holds."""
    for b, a in zip(before, after, strict=True):
        p, q = log_softmax(b.astype(np.float64)), log_softmax(a.astype(np.float64))
        yield float((np.exp(p) * (p - q)).sum())


def _correlation(before: FloatArray, after: FloatArray) -> float:
    a, b = before.ravel() - before.mean(), after.ravel() - after.mean()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return round(float(a @ b) / norm, 6) if norm else float(np.allclose(before, after))


def _largest(before: FloatArray, after: FloatArray) -> float:
    return round(float(np.abs(before - after).max()), 6)


def _mean(values: Any) -> float:
    return round(float(np.mean(values)), 6)
