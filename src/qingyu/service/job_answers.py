"""Answers for the rows of jobs: given in the service, a few texts at a time, and each time only
after whoever waits for an answer has had it, for a while at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

from qingyu.errors import InputError, OverloadedError, QingyuError
from qingyu.jobs.errors import StoppedError
from qingyu.jobs.records import JobRecord
from qingyu.jobs.store import Store
from qingyu.jobs.windows import Texts

from .calls import Call
from .equipment import Equipment
from .errors import StoppingError
from .service import Service

TURN_CHARACTERS = 256  # texts of about so much are answered between two looks at who else waits
POLITE_SECONDS = 1.0  # the longest a job steps back before it takes a turn all the same
QUEUE_SECONDS = 0.005
LOOK_SECONDS = 0.2

Answered: TypeAlias = "bytes | QingyuError"


class Budget(Protocol):
    """Tokens that the owner of a job may use, as for their requests."""

    def wait(self, name: str) -> float:
        """Seconds until there are some."""
        ...

    def charge(self, name: str, tokens: int) -> None: ...


class JobAnswers:
    """Made on the event loop; `answer` is called in the worker's thread."""

    def __init__(
        self,
        service: Service,
        store: Store,
        budget: Budget,
        equipment: Equipment,
        *,
        max_characters: int,
    ) -> None:
        self.max_characters = max_characters
        self._service = service
        self._store = store
        self._budget = budget
        self._equipment = equipment
        self._loop = asyncio.get_running_loop()

    def is_ready(self, owner: str) -> bool:
        return self._budget.wait(owner) <= 0

    def others_wait(self, owner: str) -> bool:
        """Whether somebody else has a job that waits and tokens for it."""
        return any(map(self.is_ready, self._store.others_wait(owner)))

    def answer(
        self,
        job: JobRecord,
        request: dict[str, Any],
        inputs: Sequence[Texts],
        ended: Callable[[JobRecord], bool],
    ) -> list[Answered]:
        """JSON in UTF-8 for each input, or its error, in order. Raises StoppedError."""
        outcomes: list[Answered] = []
        for some in _turns(inputs):
            self._wait_for_tokens(job, ended)
            calls: Sequence[Call] = [call_of(request, texts) for texts in some]
            if self._equipment.wanted(calls):
                calls = self._equipment.opened(calls)
            coming = asyncio.run_coroutine_threadsafe(self._take_turn(job, calls), self._loop)
            outcomes += _result(coming, lambda: ended(job))
        return outcomes

    def _wait_for_tokens(self, job: JobRecord, ended: Callable[[JobRecord], bool]) -> None:
        """Until the owner may use tokens again; those of others who may are not held up."""
        if ended(job):
            raise StoppedError
        while (left := self._budget.wait(job.owner)) > 0:
            if self.others_wait(job.owner):
                raise StoppedError
            time.sleep(min(left, LOOK_SECONDS))
            if ended(job):
                raise StoppedError

    # -- on the loop ------------------------------------------------------------------------------

    async def _take_turn(self, job: JobRecord, calls: Sequence[Call]) -> list[Answered]:
        end = time.monotonic() + POLITE_SECONDS
        scheduler = self._service.scheduler
        while scheduler.queued_tokens and time.monotonic() < end:  # noqa: ASYNC110 no event there
            await asyncio.sleep(QUEUE_SECONDS)
        return await asyncio.gather(*(self._answer(job, call) for call in calls))

    async def _answer(self, job: JobRecord, call: Call) -> Answered:
        while True:
            try:
                (answer,) = await self._service.answer(job.model, [call])
            except OverloadedError:
                await asyncio.sleep(POLITE_SECONDS / 4)
            except InputError as error:
                return error
            except StoppingError:
                raise StoppedError from None
            else:
                self._budget.charge(job.owner, answer.tokens)
                return answer.body


def _result(coming: Future[list[Answered]], ended: Callable[[], bool]) -> list[Answered]:
    """Raises StoppedError where the job ends before."""
    while True:
        try:
            return coming.result(LOOK_SECONDS)
        except NotYet:
            if ended():
                coming.cancel()
                raise StoppedError from None


def call_of(request: dict[str, Any], texts: Texts) -> Call:
    """The call that a job's request means for one input."""
    template = Call(
        request["task"],
        tuple(_fixed(one) for one in request["inputs"]),
        tuple((name, _fixed(value)) for name, value in request["parameters"]),
    )
    return replace(template, inputs=(*texts, *template.inputs))


def _fixed(value: Any) -> Any:
    """What came back from JSON, as a call can hold it."""
    return tuple(_fixed(one) for one in value) if isinstance(value, list) else value


def _turns(inputs: Sequence[Texts]) -> Iterator[list[Texts]]:
    some: list[Texts] = []
    characters = 0
    for texts in inputs:
        some.append(texts)
        characters += sum(map(len, texts))
        if characters >= TURN_CHARACTERS:
            yield some
            some, characters = [], 0
    if some:
        yield some
