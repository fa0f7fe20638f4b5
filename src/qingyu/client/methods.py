"""Methods of the clients: those of a model, with its parameters and types."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from qingyu.model.methods import BoundTask
from qingyu.results import Result
from qingyu.tasks import registry
from qingyu.tasks.registry import Task

from .questions import Questions, questions

P = ParamSpec("P")
R = TypeVar("R", bound=Result)


class Waiting(Protocol):
    """A client whose methods wait for the answer."""

    model: str | None

    def ask(self, asked: Questions) -> Any: ...
    def close(self) -> None: ...


class Awaiting(Protocol):
    """A client whose methods are awaited."""

    model: str | None

    def ask(self, asked: Questions) -> Coroutine[Any, Any, Any]: ...
    def close(self) -> Coroutine[Any, Any, None]: ...


class AwaitedTask(Generic[P, R]):
    """How a type checker sees a method that is awaited."""

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


class AskedMethod(Generic[P, R]):
    """How a type checker sees a method of a client, of whichever kind."""

    @overload
    def __get__(self, client: Waiting, owner: type) -> BoundTask[P, R]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> AwaitedTask[P, R]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        raise NotImplementedError


def asks(task: Task[P, R]) -> Callable[[Callable[[Any], None]], AskedMethod[P, R]]:
    """Decorates a method without a body: it asks a service for `task`, with its parameters."""
    decorate: Callable[[Callable[[Any], None]], AskedMethod[P, R]] = _method(task)
    return decorate


def _method(task: Task[..., Any]) -> Any:
    def decorate(named: Callable[[Any], None]) -> Any:
        def method(
            client: Waiting | Awaiting, text: str | Sequence[str], *args: Any, **given: Any
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


class Methods:
    """The tasks of a service, as the methods of a model."""

    @asks(registry.FILL_MASK)
    def fill_mask(self) -> None:
        """Fill-mask 语义填空."""

    @asks(registry.SCORE)
    def score(self) -> None:
        """Score 句子打分."""

    @asks(registry.CHECK)
    def check(self) -> None:
        """Check 纠错."""

    @asks(registry.ZERO_SHOT)
    def zero_shot(self) -> None:
        """Zero-shot classification 零样本分类."""

    @asks(registry.CLASSIFICATION)
    def classify(self) -> None:
        """Text classification 文本分类."""

    @asks(registry.SIMILARITY)
    def similarity(self) -> None:
        """Sentence similarity 语义匹配."""

    @asks(registry.RANKING)
    def rank(self) -> None:
        """Sentence ranking 语义排序."""

    @asks(registry.TOKENS)
    def token_classification(self) -> None:
        """Token classification 序列标注, such as named entities 实体识别."""

    ner = token_classification

    @asks(registry.FEATURES)
    def embed(self) -> None:
        """Feature extraction 句向量."""

    @asks(registry.TEXT2TEXT)
    def text2text(self) -> None:
        """Text to text 文本生成."""

    @asks(registry.EXERCISE)
    def exercise(self) -> None:
        """Exercise 出填空题."""
