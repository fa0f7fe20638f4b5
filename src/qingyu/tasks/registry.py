"""All tasks by name, and what a model needs for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from qingyu.bundle import HeadInfo
from qingyu.query import Cost, Steps
from qingyu.results import Result
from qingyu.tasks import (
    check,
    classification,
    costs,
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
    """A task: `begin(context, text, ...)` starts its generator, `needs` finds a head for it, `cost`
    tells from the same arguments what it will cost.

    Without `needs` the encoder alone is enough.
    """

    name: str
    begin: Callable[Concatenate[Context, str, P], Steps[R]]
    needs: Fits | None
    cost: Callable[..., Cost]

    def fits(self, available: Mapping[str, HeadInfo]) -> bool:
        """Whether a model with these heads can do it."""
        return self.needs is None or any(self.needs(head) for head in available.values())


FILL_MASK = Task(fill_mask.NAME, fill_mask.fill_mask, heads.fills, costs.fill_mask)
SCORE = Task(score.NAME, score.score, heads.masked_lm, costs.masking)
CHECK = Task(check.NAME, check.check, heads.masked_lm, costs.masking)
ZERO_SHOT = Task(zero_shot.NAME, zero_shot.zero_shot, heads.infers, costs.zero_shot)
CLASSIFICATION = Task(
    classification.NAME, classification.classification, heads.classifier, costs.pair
)
SIMILARITY = Task(similarity.NAME, similarity.similarity, heads.compares, costs.pair)
RANKING = Task(similarity.RANKING, similarity.ranking, heads.compares, costs.ranking)
TOKENS = Task(
    token_classification.NAME,
    token_classification.token_classification,
    heads.tagger,
    costs.tagging,
)
FEATURES = Task(
    feature_extraction.NAME, feature_extraction.feature_extraction, None, costs.embedding
)
TEXT2TEXT = Task(text2text.NAME, text2text.text2text, heads.writes, costs.writing)

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
