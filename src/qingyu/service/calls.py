"""Calls of tasks: what is computed between two visits to the model, and their answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qingyu.errors import QingyuError
from qingyu.numbers import FloatArray
from qingyu.query import Query
from qingyu.results import Result
from qingyu.search.index import Index
from qingyu.tasks.drive import Running
from qingyu.taught import Taught
from qingyu.text.phrases import Phrases

from .errors import InferenceError
from .slots import ServedModel

log = logging.getLogger("qingyu.service")

_encoder = json.JSONEncoder(
    ensure_ascii=False,
    separators=(",", ":"),
    allow_nan=False,
    default=lambda value: _plain(value),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One result as it goes out: its JSON in UTF-8, and the tokens it cost to compute."""

    body: bytes
    tokens: int


@dataclass(frozen=True)
class Call:
    """One task on one input. Hashable: together with a model's digest it names its answer.

    named:   names of further memories of phrases that it is to use
    phrases: those memories, once they are open
    own:     the head that was taught or the index that it names, once that is open
    """

    task: str
    inputs: tuple[Hashable, ...]
    parameters: tuple[tuple[str, Hashable], ...] = ()
    named: tuple[str, ...] = ()
    phrases: tuple[Phrases, ...] = ()
    own: tuple[Taught | Index, ...] = ()

    @property
    def texts(self) -> int:
        """How many texts it has, labels included."""
        return sum(1 for _ in _texts(self.inputs))

    @property
    def longest(self) -> int:
        """Characters of its longest text."""
        return max(map(len, _texts(self.inputs)), default=0)


@dataclass(eq=False)
class Work:
    """A call under way: what it asks the model next, and in the end its answer or error."""

    call: Call
    running: Running[Any] | None = None
    tokens: int = 0
    answer: Answer | None = None
    error: QingyuError | None = None

    @property
    def over(self) -> bool:
        return self.answer is not None or self.error is not None

    @property
    def queries(self) -> Sequence[Query]:
        return () if self.running is None else self.running.queries

    def start(self, model: ServedModel) -> None:
        """Tokenise: the first queries."""
        call = self.call
        try:
            model = equipped(model, call)
            self.running = Running(model.steps(call.task, *call.inputs, **dict(call.parameters)))
            self._advanced(self.running)
        except Exception as error:  # noqa: BLE001 - what one call does wrong is its own affair
            self.error = _told(error)

    def advance(self, answers: list[FloatArray]) -> None:
        """Turn the model's answers into the next queries or the final answer."""
        if self.running is None:
            return
        try:
            self.running.advance(answers)
            self._advanced(self.running)
        except Exception as error:  # noqa: BLE001 - as above
            self.error = _told(error)

    def _advanced(self, running: Running[Any]) -> None:
        if running.over:
            self.answer = Answer(encode(running.result), self.tokens)
        else:
            self.tokens += sum(query.cost for query in running.queries)


def start_all(model: ServedModel, works: Iterable[Work]) -> None:
    for work in works:
        work.start(model)


def equipped(model: ServedModel, call: Call) -> ServedModel:
    """The model with what the call names. Raises BundleError where that is another model's."""
    if call.phrases:
        model = model.with_phrases(*call.phrases)
    return model.equipped(*call.own) if call.own else model


def light(calls: Iterable[Call], most: int) -> bool:
    """Whether the texts, labels and words of `calls` have at most `most` characters, told without
    looking at more than those."""
    left = most
    for call in calls:
        for text in _texts((call.inputs, call.parameters)):
            left -= len(text) + 1
            if left < 0:
                return False
    return True


def encode(result: object) -> bytes:
    """A result as JSON in UTF-8. Raises ValueError where it has no JSON (NaN, a lone surrogate)."""
    return _encoder.encode(result).encode()


def _plain(value: object) -> Any:
    if isinstance(value, Result):
        # The fields as they are, rather than a deep copy of them, unless the type says otherwise.
        return vars(value) if type(value).to_dict is Result.to_dict else value.to_dict()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _told(error: Exception) -> QingyuError:
    if isinstance(error, QingyuError):
        return error
    log.error("a task failed unexpectedly", exc_info=error)
    failure = InferenceError()
    failure.__cause__ = error
    return failure


def _texts(value: object) -> Iterator[str]:
    """The strings in `value`, however nested."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _texts(part)
