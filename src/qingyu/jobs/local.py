"""A model of this process as what answers a job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from qingyu.errors import InputError, TaskNotSupportedError
from qingyu.model import Model
from qingyu.tasks.table import RANKING, TASKS
from qingyu.types import FloatArray, Query, Result, Steps

from .columns import PAIRED
from .windows import Ask, Outcome, Texts

Spread: TypeAlias = Callable[
    [Callable[[Sequence[Texts]], list[Outcome]], Sequence[Sequence[Texts]]],
    Iterable[list[Outcome]],
]
BATCH_TASKS = [name for name in TASKS if name != RANKING.name]
SAMPLE = "今天天气真[MASK]啊。"


class _Refused(Result):
    """An input's error where a result would be."""

    def __init__(self, error: InputError) -> None:
        self.error = error


AT_ONCE = 128  # inputs answered together; enough for full batches of each length
ROWS_AT_ONCE = 512  # and rows of answers, a vocabulary long each where masks are filled


def asking(model: Model, task: str, parameters: Mapping[str, Any], spread: Spread = map) -> Ask:
    """Answers by `model`; `spread` maps over parts of the inputs, such as a pool's `map`.

    Raises InputError and TaskNotSupportedError where the task or its parameters are wrong for
    every input.
    """
    if task not in BATCH_TASKS:
        raise TaskNotSupportedError(
            f"没有批量任务 {task}；可用：{'、'.join(BATCH_TASKS)}。",
            f"No batch task {task}; there are: {', '.join(BATCH_TASKS)}.",
        )
    given = dict(parameters)
    sample = (SAMPLE, SAMPLE) if task in PAIRED else (SAMPLE,)
    next(model.steps(task, *sample, **given))  # raises now what every row would meet

    def answered(inputs: Sequence[Texts]) -> list[Outcome]:
        steps = [_guarded(model.steps(task, *texts, **given)) for texts in inputs]
        return [
            one.error if isinstance(one, _Refused) else one.to_dict()
            for one in _complete(model, steps)
        ]

    def ask(inputs: Sequence[Texts]) -> list[Outcome]:
        parts = [inputs[first : first + AT_ONCE] for first in range(0, len(inputs), AT_ONCE)]
        return [outcome for part in spread(answered, parts) for outcome in part]

    return ask


def _guarded(steps: Steps[Any]) -> Steps[Any]:
    """The same task, whose mistake in its input is its result: its neighbours go on."""
    try:
        return (yield from steps)
    except InputError as error:
        return _Refused(error)


def _complete(model: Model, tasks: Sequence[Steps[Any]]) -> list[Any]:
    """Drive tasks to their results, running together only queries of one shape.

    What shares a batch with longer company is summed in another order, and about one text in some
    thousands then lands on the other side of a rounding. Among its like it is answered as it is
    alone: so a job's output depends neither on where it was interrupted nor on what was known.
    """
    results: dict[int, Any] = {}
    waiting: dict[int, list[Query]] = {}
    coming = iter(range(len(tasks)))

    def advance(index: int, answers: list[FloatArray] | None) -> int:
        try:
            waiting[index] = tasks[index].send(answers)  # type: ignore[arg-type]
        except StopIteration as stop:
            results[index] = stop.value
            return 0
        return sum(len(query.positions) for query in waiting[index])

    while len(results) < len(tasks):
        rows = sum(len(query.positions) for asked in waiting.values() for query in asked)
        while rows < ROWS_AT_ONCE and (index := next(coming, None)) is not None:
            rows += advance(index, None)
        asked, waiting = waiting, {}
        queries = [query for one in asked.values() for query in one]
        answers = iter(_run(model, queries))
        for index, one in asked.items():
            advance(index, [next(answers) for _ in one])
    return [results[index] for index in range(len(tasks))]


def _run(model: Model, queries: Sequence[Query]) -> list[FloatArray]:
    shapes: dict[tuple[int, int, str], list[int]] = {}
    for number, query in enumerate(queries):
        shapes.setdefault((query.cost, len(query.positions), query.head), []).append(number)
    found: dict[int, FloatArray] = {}
    for numbers in shapes.values():
        answers = model.run([queries[number] for number in numbers])
        found.update(zip(numbers, answers, strict=True))
    return [found[number] for number in range(len(queries))]
