"""Methods of the clients: those of a model, with its parameters and types."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from qingyu.model.methods import BoundTask
from qingyu.results import Result
from qingyu.tasks.registry import Task

from .questions import Questions, questions

P = ParamSpec("P")
R = TypeVar("R", bound=Result)


class AskingClient(Protocol):
    """What asks a service."""

    model: str | None

    def ask(self, asked: Questions) -> Any: ...


class AskedMethod(Generic[P, R]):
    """How a type checker sees a method of the client that waits."""

    def __get__(self, client: AskingClient, owner: type) -> BoundTask[P, R]:
        raise NotImplementedError


class AwaitedTask(Generic[P, R]):
    """How a type checker sees a method of the client that is awaited."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too
        self, text: str, *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[R]: ...
    @overload
    def __call__(
        self, text: Sequence[str], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[list[R]]: ...
    def __call__(self, text: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class AwaitedMethod(Generic[P, R]):
    def __get__(self, client: AskingClient, owner: type) -> AwaitedTask[P, R]:
        raise NotImplementedError


def asks(task: Task[P, R]) -> Callable[[Callable[[Any], None]], AskedMethod[P, R]]:
    """Decorates a method without a body: it asks a service for `task`, with its parameters."""
    decorate: Callable[[Callable[[Any], None]], AskedMethod[P, R]] = _method(task)
    return decorate


def asks_awaited(task: Task[P, R]) -> Callable[[Callable[[Any], None]], AwaitedMethod[P, R]]:
    """As `asks`, for the client whose methods are awaited."""
    decorate: Callable[[Callable[[Any], None]], AwaitedMethod[P, R]] = _method(task)
    return decorate


def _method(task: Task[..., Any]) -> Any:
    def decorate(named: Callable[[Any], None]) -> Any:
        def method(
            client: AskingClient, text: str | Sequence[str], *args: Any, **given: Any
        ) -> Any:
            return client.ask(questions(task, client.model, text, args, given))

        (client,) = inspect.signature(named).parameters.values()
        _context, text, *others = inspect.signature(task.begin).parameters.values()
        phrases = inspect.Parameter(
            "phrases", inspect.Parameter.KEYWORD_ONLY, default=(), annotation="Sequence[str]"
        )
        method.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [client, text.replace(annotation="str | Sequence[str]"), *others, phrases]
        )
        method.__doc__ = f"{named.__doc__}\n\n{inspect.getdoc(task.begin)}"
        method.__name__, method.__qualname__ = named.__name__, named.__qualname__
        method.__module__ = named.__module__
        return method

    return decorate
