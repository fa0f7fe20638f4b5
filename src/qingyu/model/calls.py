"""Tasks as methods of a model, without saying their parameters twice."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Generic, ParamSpec, Protocol, TypeVar, overload

from qingyu.query import Steps
from qingyu.results import Result
from qingyu.tasks.context import Context
from qingyu.tasks.registry import Task

P = ParamSpec("P")
R = TypeVar("R", bound=Result)


class Driver(Protocol):
    """What drives a task: a model."""

    context: Context

    def complete(self, steps: Steps[R]) -> R: ...

    def complete_all(self, tasks: Sequence[Steps[R]]) -> list[R]: ...


class Call(Generic[P, R]):
    """A task of one model, to be called: a result for a text, a list of results for a list."""

    def __init__(self, model: Driver, task: Task[P, R]) -> None:
        self._model = model
        self._task = task
        self.__doc__ = task.begin.__doc__
        self.__name__ = task.begin.__name__

    @property
    def __signature__(self) -> inspect.Signature:
        """The task's parameters without its context, which the model gives."""
        _context, *parameters = inspect.signature(self._task.begin).parameters.values()
        return inspect.Signature(parameters)

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too
        self, text: str, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...
    @overload
    def __call__(self, text: Sequence[str], *args: P.args, **kwargs: P.kwargs) -> list[R]: ...
    def __call__(self, text: str | Sequence[str], *args: P.args, **kwargs: P.kwargs) -> R | list[R]:
        model, begin = self._model, self._task.begin
        if isinstance(text, str):
            return model.complete(begin(model.context, text, *args, **kwargs))
        return model.complete_all([begin(model.context, one, *args, **kwargs) for one in text])


class Answers(Generic[P, R]):
    """A task as an attribute of the models: `model.score` is a `Call`."""

    def __init__(self, task: Task[P, R]) -> None:
        self.task = task
        self.__doc__ = task.begin.__doc__

    def __get__(self, model: Driver, owner: type) -> Call[P, R]:
        return Call(model, self.task)
