"""Driving tasks: their generators advanced together, their queries answered in common batches.

All drivers are built on `Running`: a model drives many tasks to their results (`complete`), a task
drives parts of itself (`together`), and the service drives those of many clients with a scheduler
in between (`service/calls.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from qingyu.numbers import FloatArray
from qingyu.query import Query, Steps

R = TypeVar("R")

TASKS_AT_ONCE = 256  # whose queries wait in memory together
ROWS_AT_ONCE = 1024  # rows of answers held, each as long as the vocabulary where masks are filled


class Running(Generic[R]):
    """A task under way: what it asks now, and once it is `over`, its result."""

    result: R

    def __init__(self, steps: Steps[R]) -> None:
        """Advances to the first queries. Raises what the task raises."""
        self._steps = steps
        self.queries: Sequence[Query] = ()
        self.over = False
        self._send(None)

    @property
    def rows(self) -> int:
        """Rows of answers that it asks for now."""
        return sum(len(query.positions) for query in self.queries)

    def advance(self, answers: list[FloatArray]) -> None:
        """Take one answer a query; go on to the next queries or to the result.

        Raises what the task raises.
        """
        self._send(answers)

    def _send(self, answers: list[FloatArray] | None) -> None:
        self.queries = ()
        try:
            while not self.queries:
                self.queries = self._steps.send(answers)  # type: ignore[arg-type]
                answers = []  # where it asked nothing
        except StopIteration as stop:
            self.result, self.over = stop.value, True


class Asking(Protocol):
    """Whatever waits for one answer a query."""

    @property
    def queries(self) -> Sequence[Query]: ...
    def advance(self, answers: list[FloatArray]) -> None: ...


def deal(answers: Iterator[FloatArray], asking: Iterable[Asking]) -> None:
    """Hand out `answers`, which are in the order of the queries of all who are `asking`."""
    for one in asking:
        one.advance([next(answers) for _ in one.queries])


def together(tasks: Iterable[Steps[R]]) -> Steps[list[R]]:
    """Several tasks as one, so that what they ask at one time shares its batches."""
    started = [Running(steps) for steps in tasks]
    while asking := [running for running in started if not running.over]:
        answers = yield [query for running in asking for query in running.queries]
        deal(iter(answers), asking)
    return [running.result for running in started]


def complete(
    tasks: Iterable[Steps[R]],
    run: Callable[[list[Query]], list[FloatArray]],
    *,
    tasks_at_once: int = TASKS_AT_ONCE,
    rows_at_once: int = ROWS_AT_ONCE,
) -> list[R]:
    """The results of `tasks`, in order; `run` answers the queries of many tasks at a time.

    A further task is started while fewer than `tasks_at_once` are under way and they ask for
    fewer than `rows_at_once` rows. Raises what the tasks and `run` raise.
    """
    coming = iter(tasks)
    started: list[Running[R]] = []
    asking: list[Running[R]] = []
    while True:
        rows = sum(running.rows for running in asking)
        while rows < rows_at_once and len(asking) < tasks_at_once:
            if (steps := next(coming, None)) is None:
                break
            started.append(running := Running(steps))
            if not running.over:
                asking.append(running)
                rows += running.rows
        if not asking:
            return [running.result for running in started]
        deal(iter(run([query for running in asking for query in running.queries])), asking)
        asking = [running for running in asking if not running.over]
