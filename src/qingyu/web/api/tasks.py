"""The tasks served: one row each. A new task is a request type in `wire.py` and a row here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qingyu import results

from . import wire


@dataclass(frozen=True)
class Row:
    """`path` is under /v1; `result` describes one result."""

    path: str
    request: type[wire.TaskRequest]
    result: Any
    summary: str

    @property
    def task(self) -> str:
        return self.request.TASK


ROWS = (
    Row("fill-mask", wire.FillMaskRequest, results.FillMaskResult, "语义填空 / what fits [MASK]"),
    Row("score", wire.ScoreRequest, results.ScoreResult, "通顺度 / how likely a text is"),
    Row("check", wire.CheckRequest, results.CheckResult, "查错别字 / wrong characters"),
    Row(
        "zero-shot-classification",
        wire.ZeroShotRequest,
        results.ZeroShotResult,
        "零样本分类 / classification by labels of one's own",
    ),
    Row(
        "text-classification",
        wire.ClassificationRequest,
        results.ClassificationResult,
        "文本分类 / classification",
    ),
    Row(
        "sentence-similarity",
        wire.SimilarityRequest,
        results.SimilarityResult | results.RankResult,
        "语义匹配 / how similar two texts are",
    ),
    Row(
        "token-classification",
        wire.TokensRequest,
        results.TokenClassificationResult,
        "实体识别 / named entities",
    ),
    Row(
        "text2text-generation",
        wire.Text2TextRequest,
        results.Text2TextResult,
        "文本生成 / a text written for a text",
    ),
    Row("embeddings", wire.EmbeddingsRequest, results.EmbeddingResult, "句向量 / sentence vectors"),
)
BY_TASK = {row.task: row for row in ROWS}
