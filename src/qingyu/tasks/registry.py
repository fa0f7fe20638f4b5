"""All tasks by name, and what a model needs for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from qingyu.bundle import HeadInfo
from qingyu.query import Steps
from qingyu.results import Result
from qingyu.tasks import (
    check,
    classification,
    feature_extraction,
    fill_mask,
    score,
    similarity,
    text2text,
    token_classification,
    zero_shot,
)
from qingyu.tasks.context import Context, Fits
from qingyu.tasks.parts import heads

P = ParamSpec("P")
R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Task(Generic[P, R]):
    """A task: `begin(context, text, ...)` starts its generator, `needs` finds a head for it.

    Without `needs` the encoder alone is enough.
    """

    name: str
    begin: Callable[Concatenate[Context, str, P], Steps[R]]
    needs: Fits | None

    def fits(self, available: Mapping[str, HeadInfo]) -> bool:
        """Whether a model with these heads can do it."""
        return self.needs is None or any(self.needs(head) for head in available.values())


FILL_MASK = Task(fill_mask.NAME, fill_mask.fill_mask, heads.fills)
SCORE = Task(score.NAME, score.score, heads.masked_lm)
CHECK = Task(check.NAME, check.check, heads.masked_lm)
ZERO_SHOT = Task(zero_shot.NAME, zero_shot.zero_shot, heads.infers)
CLASSIFICATION = Task(classification.NAME, classification.classification, heads.classifier)
SIMILARITY = Task(similarity.NAME, similarity.similarity, heads.compares)
RANKING = Task(similarity.RANKING, similarity.ranking, heads.compares)
TOKENS = Task(token_classification.NAME, token_classification.token_classification, heads.tagger)
FEATURES = Task(feature_extraction.NAME, feature_extraction.feature_extraction, None)
TEXT2TEXT = Task(text2text.NAME, text2text.text2text, heads.writes)

SAMPLE = "今天天气真[MASK]啊。"  # a text that every task can answer

TASKS: dict[str, Task[..., Any]] = {
    task.name: task
    for task in (
        FILL_MASK, SCORE, CHECK, ZERO_SHOT, CLASSIFICATION, SIMILARITY, RANKING, TOKENS, FEATURES,
        TEXT2TEXT,
    )
}  # fmt: skip


def supported(available: Mapping[str, HeadInfo]) -> list[str]:
    """Names of the tasks that a model with these heads can do."""
    return [task.name for task in TASKS.values() if task.fits(available)]
