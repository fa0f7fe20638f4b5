"""Calls of a model's methods as requests of the service."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qingyu.errors import InputError
from qingyu.model.inputs import texts_of
from qingyu.results import Result
from qingyu.tasks import registry
from qingyu.tasks.registry import Task

TEXTS_AT_ONCE = 256  # as many as a service takes unless it was told otherwise


@dataclass(frozen=True)
class Question:
    """One request: its address and body, the type of its results, and how many texts of the same
    call were asked about before it."""

    path: str
    body: bytes
    kind: type[Result]
    before: int = 0


@dataclass(frozen=True)
class Questions:
    """The requests of one call; `alone` where it was about one text and not a list."""

    each: tuple[Question, ...]
    alone: bool


def questions(
    task: Task[..., Any],
    model: str | None,
    text: Any,
    args: Sequence[Any],
    given: Mapping[str, Any],
) -> Questions:
    """A call of a method as requests, each of at most TEXTS_AT_ONCE texts. `phrases` names memories
    of the service. Raises TypeError for parameters that the task has not, and InputError for those
    that JSON cannot hold."""
    body = {"model": model, **_parameters(task, args, given)}
    alone = isinstance(text, str)
    texts = [text] if alone else texts_of(text)
    if task is registry.RANKING:  # one query a request
        bodies = [(at, {**body, "query": one}) for at, one in enumerate(texts)]
    elif task.pair == "never" or body.get("text_pair") is None:
        bodies = list(_parts(task, texts, body))
    else:
        bodies = list(_paired(texts, alone, body))
    return Questions(
        tuple(Question(f"v1/{task.path}", _encoded(one), task.result, at) for at, one in bodies),
        alone,
    )


def _parameters(
    task: Task[..., Any], args: Sequence[Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Parameters by name, as the method takes them."""
    _context, _text, *others = inspect.signature(task.begin).parameters.values()
    named = {name: value for name, value in given.items() if name != "phrases"}
    bound = inspect.Signature(others).bind(*args, **named)
    phrases = {"phrases": given["phrases"]} if "phrases" in given else {}
    return {**bound.arguments, **phrases}


def _parts(
    task: Task[..., Any], texts: list[str], body: dict[str, Any]
) -> Iterable[tuple[int, dict[str, Any]]]:
    """Texts in parts; a parameter of which each text has its own is cut with them."""
    name, spread = task.each or ("", None)
    own = spread(body[name], len(texts)) if spread and texts and name in body else []
    shared = all(one is own[0] for one in own)
    for at in range(0, len(texts), TEXTS_AT_ONCE):
        part = {**body, "text": texts[at : at + TEXTS_AT_ONCE]}
        yield at, part if shared else {**part, name: own[at : at + TEXTS_AT_ONCE]}


def _paired(
    texts: list[str], alone: bool, body: dict[str, Any]
) -> Iterable[tuple[int, dict[str, Any]]]:
    """Pairs in parts. Raises InputError where there are not as many second texts as first."""
    second = body["text_pair"]
    seconds = [second] if isinstance(second, str) else texts_of(second, "text_pair")
    if isinstance(second, str) != alone or len(seconds) != len(texts):
        raise InputError(
            "text 与 text_pair 应同为字符串，或为等长的列表。",
            "text and text_pair should both be strings, or lists of one length.",
        )
    for at in range(0, len(texts), TEXTS_AT_ONCE):
        to = at + TEXTS_AT_ONCE
        yield at, {**body, "text": texts[at:to], "text_pair": seconds[at:to]}


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:  # also lone surrogates
        raise InputError(
            f"参数无法发给服务：{error}。", f"A parameter cannot be sent to a service: {error}."
        ) from error
