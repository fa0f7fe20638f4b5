"""Answers the rows of a job with a model loaded in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

from qingyu.engine.batch import neighbours
from qingyu.errors import InputError
from qingyu.model import Model
from qingyu.query import Steps
from qingyu.results import Result
from qingyu.tasks.registry import file_task
from qingyu.text.tokenizer import SPECIAL_TOKENS

from .windows import Ask, Outcome, Texts

Spread: TypeAlias = Callable[
    [Callable[[Sequence[Texts]], list[Outcome]], Iterable[Sequence[Texts]]],
    Iterable[list[Outcome]],
]
"""Like `map`, and like a pool's, which begins at once and in the background."""


class _Refused(Result):
    """An input's error where a result would be."""

    def __init__(self, error: InputError) -> None:
        self.error = error


def asking(model: Model, task: str, parameters: Mapping[str, Any], spread: Spread = map) -> Ask:
    """Answers by `model`; `spread` maps over parts of the inputs, such as a pool's `map`.

    Raises InputError and TaskNotSupportedError where the task or its parameters are wrong for
    every input.
    """
    sample = file_task(task).sample
    given = dict(parameters)
    next(model.steps(task, *sample, **given))  # raises now what every row would meet

    def answered(inputs: Sequence[Texts]) -> list[Outcome]:
        steps = [_guarded(model.steps(task, *texts, **given)) for texts in inputs]
        return [
            one.error if isinstance(one, _Refused) else one.to_dict()
            for one in model.complete_all(steps)
        ]

    def ask(inputs: Sequence[Texts]) -> Iterator[Outcome]:
        parts = neighbours(inputs, _cost, model.batch_tokens)
        return chain.from_iterable(spread(answered, parts))

    return ask


def _guarded(steps: Steps[Any]) -> Steps[Any]:
    """The same task, whose mistake in its input is its result: its neighbours go on."""
    try:
        return (yield from steps)
    except InputError as error:
        return _Refused(error)


def _cost(texts: Texts) -> int:
    """About its tokens: a character of Chinese is about one."""
    return sum(len(text) + SPECIAL_TOKENS for text in texts)
