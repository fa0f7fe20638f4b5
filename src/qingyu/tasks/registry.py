"""All tasks: one row each, with everything that the floors above need to know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar

from qingyu import results
from qingyu.bundle import HeadInfo
from qingyu.errors import TaskNotSupportedError
from qingyu.query import Cost, Steps
from qingyu.results import Result
from qingyu.tasks import (
    check,
    classification,
    costs,
    feature_extraction,
    fill_mask,
    score,
    search,
    shapes,
    similarity,
    text2text,
    token_classification,
    zero_shot,
)
from qingyu.tasks.context import Context, Fits
from qingyu.tasks.exercises import exercise
from qingyu.tasks.parts import heads

P = ParamSpec("P")
R = TypeVar("R", bound=Result)

SAMPLE = "今天天气真[MASK]啊。"  # a text that every task can answer


@dataclass(frozen=True, kw_only=True)
class Task(Generic[P, R]):
    """A task as it is known outside its own file.

    name:         in jobs, protocols, errors and metrics; Hugging Face's where that has one
    method:       of `qingyu.Model`
    command:      of `qingyu`, and the task's name in `qingyu batch`
    path:         of its endpoint, under /v1
    title:        for people, in both languages
    begin:        `begin(context, text, ...)` starts its generator
    result:       type of its results
    needs:        finds a head that can do it; None: the encoder alone can
    cost:         from the same arguments, what it will cost
    pair:         whether it reads two texts
    required:     parameters that it cannot do without
    each:         a parameter of which each of several texts may have its own, and what makes as
                  many of its value as there are texts
    table:        what a result adds to a row of a file; without columns it is no task for files
    hugging_face: a result as Hugging Face's clients expect it; None: they know no such task
    """

    name: str
    method: str
    command: str
    path: str
    title: str
    begin: Callable[Concatenate[Context, str, P], Steps[R]]
    result: type[R]
    needs: Fits | None
    cost: Callable[..., Cost]
    pair: Literal["never", "maybe", "always"] = "never"
    required: tuple[str, ...] = ()
    each: tuple[str, Callable[[Any, int], list[Any]]] | None = None
    table: shapes.AddedColumns = shapes.NO_TABLE
    hugging_face: shapes.HuggingFace | None = None

    @property
    def sample(self) -> tuple[str, ...]:
        """Texts that it can answer."""
        return (SAMPLE, SAMPLE) if self.pair == "always" else (SAMPLE,)

    def fits(self, available: Mapping[str, HeadInfo]) -> bool:
        """Whether a model with these heads can do it."""
        return self.needs is None or any(self.needs(head) for head in available.values())


FILL_MASK = Task(
    name=fill_mask.NAME,
    method="fill_mask",
    command="fill",
    path="fill-mask",
    title="语义填空 / what fits [MASK]",
    begin=fill_mask.fill_mask,
    result=results.FillMaskResult,
    needs=heads.fills,
    cost=costs.fill_mask,
    table=shapes.MASKS,
    hugging_face=shapes.hf_masks,
)
SCORE = Task(
    name=score.NAME,
    method="score",
    command="score",
    path="score",
    title="通顺度 / how likely a text is",
    begin=score.score,
    result=results.ScoreResult,
    needs=heads.masked_lm,
    cost=costs.masking,
    table=shapes.SCORE,
)
CHECK = Task(
    name=check.NAME,
    method="check",
    command="check",
    path="check",
    title="查错别字 / wrong characters",
    begin=check.check,
    result=results.CheckResult,
    needs=heads.masked_lm,
    cost=costs.checking,
    table=shapes.CHECK,
)
ZERO_SHOT = Task(
    name=zero_shot.NAME,
    method="zero_shot",
    command="zero-shot",
    path="zero-shot-classification",
    title="零样本分类 / classification by labels of one's own",
    begin=zero_shot.zero_shot,
    result=results.ZeroShotResult,
    needs=heads.infers,
    cost=costs.zero_shot,
    required=("candidate_labels",),
    each=("candidate_labels", zero_shot.label_sets),
    table=shapes.LABELS,
    hugging_face=shapes.hf_labels,
)
CLASSIFICATION = Task(
    name=classification.NAME,
    method="classify",
    command="classify",
    path="text-classification",
    title="文本分类 / classification",
    begin=classification.classification,
    result=results.ClassificationResult,
    needs=heads.classifier,
    cost=costs.classifying,
    pair="maybe",
    table=shapes.LABELS,
    hugging_face=shapes.hf_labels,
)
SIMILARITY = Task(
    name=similarity.NAME,
    method="similarity",
    command="similar",
    path="sentence-similarity",
    title="语义匹配 / how similar two texts are",
    begin=similarity.similarity,
    result=results.SimilarityResult,
    needs=heads.compares,
    cost=costs.pair,
    pair="always",
    table=shapes.SIMILARITY,
    hugging_face=shapes.hf_similarities,
)
RANKING = Task(
    name=similarity.RANKING,
    method="rank",
    command="similar",
    path="sentence-similarity",
    title="语义排序 / which texts come closest to one",
    begin=similarity.ranking,
    result=results.RankResult,
    needs=heads.compares,
    cost=costs.ranking,
    required=("texts",),
)
TOKENS = Task(
    name=token_classification.NAME,
    method="token_classification",
    command="ner",
    path="token-classification",
    title="实体识别 / named entities",
    begin=token_classification.token_classification,
    result=results.TokenClassificationResult,
    needs=heads.tagger,
    cost=costs.tagging,
    table=shapes.ENTITIES,
    hugging_face=shapes.hf_entities,
)
FEATURES = Task(
    name=feature_extraction.NAME,
    method="embed",
    command="embed",
    path="embeddings",
    title="句向量 / sentence vectors",
    begin=feature_extraction.feature_extraction,
    result=results.EmbeddingResult,
    needs=None,
    cost=costs.embedding,
    table=shapes.EMBEDDING,
    hugging_face=shapes.hf_embedding,
)
TEXT2TEXT = Task(
    name=text2text.NAME,
    method="text2text",
    command="text2text",
    path="text2text-generation",
    title="文本生成 / a text written for a text",
    begin=text2text.text2text,
    result=results.Text2TextResult,
    needs=heads.writes,
    cost=costs.writing,
    table=shapes.TEXT,
)

SEARCH = Task(
    name=search.NAME,
    method="search",
    command="search",
    path="search",
    title="检索 / rows of an index that answer a text",
    begin=search.search,
    result=results.SearchResult,
    needs=None,
    cost=costs.searching,
    required=("index",),
    table=shapes.HITS,
)
EXERCISE = Task(
    name=exercise.NAME,
    method="exercise",
    command="exercise",
    path="exercise",
    title="出填空题 / exercises with blanks",
    begin=exercise.exercise,
    result=results.ExerciseResult,
    needs=heads.masked_lm,
    cost=costs.exercise,
)

TASKS: dict[str, Task[..., Any]] = {
    task.name: task
    for task in (
        FILL_MASK, SCORE, CHECK, ZERO_SHOT, CLASSIFICATION, SIMILARITY, RANKING, TOKENS, FEATURES,
        EXERCISE, TEXT2TEXT, SEARCH,
    )
}  # fmt: skip
# Those that a file's rows can be put to, by name.
FILE_TASKS = {name: task for name, task in TASKS.items() if task.table.columns}


def file_task(name: str) -> Task[..., Any]:
    """Raises TaskNotSupportedError where there is no such task for the rows of files."""
    if name not in FILE_TASKS:
        raise TaskNotSupportedError(
            f"没有批量任务 {name}；可用：{'、'.join(FILE_TASKS)}。",
            f"No batch task {name}; there are: {', '.join(FILE_TASKS)}.",
        )
    return FILE_TASKS[name]


def supported(available: Mapping[str, HeadInfo]) -> list[str]:
    """Names of the tasks that a model with these heads can do."""
    return [task.name for task in TASKS.values() if task.fits(available)]
