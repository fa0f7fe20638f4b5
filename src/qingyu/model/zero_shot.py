"""Zero-shot classification as an object: labels in, one result a text out, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from qingyu import bundle
from qingyu.errors import InputError
from qingyu.model.loaded import Model, load
from qingyu.results import ZeroShotResult
from qingyu.tasks import zero_shot
from qingyu.tasks.zero_shot import TEMPLATE, Labels, label_sets

EachLabels: TypeAlias = Labels | Sequence[Sequence[str]] | Sequence[Mapping[str, str]]
"""One set of labels for all texts, or a list with a set for each."""


class ZeroShotClassifier:
    """Classifies texts by labels that it has never been trained on.

    model: a name or a folder of a bundle, or a `Model` already loaded, which stays the caller's
    """

    def __init__(
        self,
        model: str | Path | Model = bundle.DEFAULT,
        *,
        hypothesis_template: str | Sequence[str] = TEMPLATE,
        threads: int | None = None,
    ) -> None:
        """Raises ModelNotFoundError and BundleError."""
        self.model = model if isinstance(model, Model) else load(model, threads=threads)
        self.hypothesis_template = hypothesis_template

    def predict(
        self,
        texts: str | Sequence[str],
        labels: EachLabels,
        batch_size: int = 32,
        **parameters: Any,
    ) -> list[ZeroShotResult]:
        """One result a text, in order. Parameters: see `qingyu.tasks.zero_shot`.

        `batch_size` texts are held at once; within it, pairs of text and label are cut into
        batches by tokens, and no answer depends on it. Raises InputError.
        """
        return list(self.stream(texts, labels, batch_size, **parameters))

    def stream(
        self,
        texts: str | Sequence[str],
        labels: EachLabels,
        batch_size: int = 32,
        **parameters: Any,
    ) -> Iterator[ZeroShotResult]:
        """The results of `predict` one by one, as the batches are done."""
        texts = [texts] if isinstance(texts, str) else list(texts)
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise InputError(
                f"batch_size 应是正整数，收到 {batch_size!r}。",
                f"batch_size should be a positive whole number, not {batch_size!r}.",
            )
        asked = list(zip(texts, label_sets(labels, len(texts)), strict=True))
        parameters = {"hypothesis_template": self.hypothesis_template, **parameters}
        for first in range(0, len(asked), batch_size):
            part = asked[first : first + batch_size]
            yield from self.model.complete_all(
                [self.model.steps(zero_shot.NAME, *one, **parameters) for one in part]
            )
