"""Vectors of texts, and indexes made with them by a loaded model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from qingyu.errors import BundleError, InputError
from qingyu.numbers import FloatArray
from qingyu.query import Steps
from qingyu.results import EmbeddingResult
from qingyu.search.index import Index, added, write
from qingyu.tasks.context import Context
from qingyu.tasks.feature_extraction import feature_extraction

TEXTS_AT_ONCE = 4096


class EncodingModel(Protocol):
    """A loaded model, as far as indexes need it."""

    context: Context

    @property
    def digest(self) -> str: ...
    def complete_all(self, tasks: Sequence[Steps[EmbeddingResult]]) -> list[EmbeddingResult]: ...


def encode(model: EncodingModel, texts: Sequence[str]) -> FloatArray:
    """Vectors of length 1, float32 [n, d]. Raises InputError."""
    parts = []
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        some = texts[first : first + TEXTS_AT_ONCE]
        results = model.complete_all([feature_extraction(model.context, text) for text in some])
        parts.append(np.array([one.embedding for one in results], np.float32))
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def build_index(
    model: EncodingModel,
    rows: Iterable[Mapping[str, Any] | str],
    out: str | Path,
    *,
    text: str = "text",
) -> Index:
    """An index of rows, searched by their column `text`; a string is a row of that column alone.

    Raises InputError for a row without a text, BundleError where the folder cannot be written.
    """
    whole = [{text: row} if isinstance(row, str) else dict(row) for row in rows]
    texts = [_text_of(row, text, number) for number, row in enumerate(whole, 1)]
    if not whole:
        raise InputError("没有可以索引的行。", "There is no row to index.")
    write(out, whole, encode(model, texts), ids=range(len(whole)), text=text, model=model.digest)
    return Index(out)


def add_rows(model: EncodingModel, index: Index, rows: Iterable[Mapping[str, Any] | str]) -> Index:
    """The index with more rows. Raises InputError and BundleError."""
    require(model, index)
    whole = [{index.text_column: row} if isinstance(row, str) else dict(row) for row in rows]
    texts = [_text_of(row, index.text_column, number) for number, row in enumerate(whole, 1)]
    if whole:
        added(index, whole, encode(model, texts))
    return Index(index.folder)


def require(model: EncodingModel, index: Index) -> None:
    """Raises BundleError where the index was made with another model."""
    if index.model != model.digest:
        raise BundleError(
            f"索引 {index.folder} 是用另一个模型建的，请用 {model.context.name} 重建。",
            f"The index {index.folder} was built with another model; "
            f"build it with {model.context.name}.",
        )


def _text_of(row: Mapping[str, Any], column: str, number: int) -> str:
    text = str(row.get(column) or "").strip()
    if not text:
        there = "、".join(map(str, row))
        raise InputError(
            f"第 {number} 行没有「{column}」；有：{there}。",
            f"Row {number} has no {column}; it has: {there}.",
        )
    return text
