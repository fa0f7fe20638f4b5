"""The tasks served: the rows of the registry, with the requests of the `wire` modules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from qingyu.tasks.registry import TASKS, Task

from . import wire
from .wire_check import CheckRequest
from .wire_exercise import ExerciseRequest
from .wire_search import SearchRequest

REQUESTS: tuple[type[wire.TaskRequest], ...] = (
    *wire.REQUESTS,
    CheckRequest,
    SearchRequest,
    ExerciseRequest,
)


@dataclass(frozen=True)
class ServedTask:
    """`result` is the type of one result, or of either where a request can mean two tasks."""

    task: Task[..., Any]
    request: type[wire.TaskRequest]
    result: Any


ROWS = tuple(
    ServedTask(
        TASKS[request.TASK],
        request,
        reduce(or_, (TASKS[name].result for name in (request.TASK, *request.ALSO))),
    )
    for request in REQUESTS
)
BY_TASK = {row.task.name: row for row in ROWS}
