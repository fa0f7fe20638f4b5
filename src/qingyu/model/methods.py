"""Tasks as methods of a model: for one text or many, without saying their parameters twice."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from qingyu.model.inputs import texts_of
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


class BoundTask(Generic[P, R]):
    """How a type checker sees `model.fill_mask`: a result for a text, a list of them for a list."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too
        self, text: str, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...
    @overload
    def __call__(self, text: Sequence[str], *args: P.args, **kwargs: P.kwargs) -> list[R]: ...
    def __call__(self, text: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class TaskMethod(Generic[P, R]):
    """How a type checker sees `Model.fill_mask`; when the program runs it is a plain function."""

    def __get__(self, model: Driver, owner: type) -> BoundTask[P, R]:
        raise NotImplementedError


Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def _for_each(
    task: Task[P, R], texts: int, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Arguments]:
    """The arguments behind each of several texts: the same, but for a parameter of which each may
    have its own."""
    name, spread = task.each or ("", None)
    if spread is None or (name not in kwargs and not args):
        return [(args, kwargs)] * texts
    if name in kwargs:
        return [(args, {**kwargs, name: own}) for own in spread(kwargs[name], texts)]
    return [((own, *args[1:]), kwargs) for own in spread(args[0], texts)]


def method_of(task: Task[P, R]) -> Callable[[Callable[[Any], None]], TaskMethod[P, R]]:
    """Decorates a method without a body: it becomes `task`, with the task's parameters and, after
    its own docstring, the task's."""

    def decorate(named: Callable[[Any], None]) -> TaskMethod[P, R]:
        def method(model: Driver, text: str | Sequence[str], *args: Any, **kwargs: Any) -> Any:
            begin: Callable[..., Steps[R]] = task.begin
            if isinstance(text, str):
                return model.complete(begin(model.context, text, *args, **kwargs))
            texts = texts_of(text)
            return model.complete_all(
                [
                    begin(model.context, one, *own, **parameters)
                    for one, (own, parameters) in zip(
                        texts, _for_each(task, len(texts), args, kwargs), strict=True
                    )
                ]
            )

        (model,) = inspect.signature(named).parameters.values()
        _context, text, *others = inspect.signature(task.begin).parameters.values()
        one_or_many = text.replace(annotation="str | Sequence[str]")
        answer = f"{task.result.__name__} | list[{task.result.__name__}]"
        method.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [model, one_or_many, *others], return_annotation=answer
        )
        method.__doc__ = f"{named.__doc__}\n\n{inspect.getdoc(task.begin)}"
        method.__name__, method.__qualname__ = named.__name__, named.__qualname__
        method.__module__ = named.__module__
        return cast("TaskMethod[P, R]", method)

    return decorate
