"""Work that needs a model for many texts and a thread of its own: teaching a head, building an
index. What it asks the model waits its turn with everybody's queries.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from qingyu.errors import OverloadedError
from qingyu.numbers import FloatArray
from qingyu.query import Query, Steps
from qingyu.tasks import drive
from qingyu.tasks.context import Context
from qingyu.tasks.feature_extraction import NAME as EMBEDDING

from .errors import ClientGoneError
from .service import Service
from .slots import Loaded

R = TypeVar("R")
RETRY_SECONDS = 5.0


class Borrowed:
    """A served model, as teaching and indexing see it; used in a thread beside the event loop."""

    def __init__(self, service: Service, loaded: Loaded) -> None:
        self.context: Context = loaded.model.context
        self.digest = loaded.model.digest
        self.tokens = 0
        self.given_up = threading.Event()
        self._service = service
        self._run = loaded.model.run_batch
        self._loop = asyncio.get_running_loop()

    def complete_all(self, tasks: Sequence[Steps[R]]) -> list[R]:
        """The results of tasks, in order. Raises what they raise, ClientGoneError and
        StoppingError."""
        return drive.complete(tasks, self._answers)

    def _answers(self, queries: list[Query]) -> list[FloatArray]:
        if self.given_up.is_set():
            raise ClientGoneError
        return asyncio.run_coroutine_threadsafe(self._asked(queries), self._loop).result()

    async def _asked(self, queries: list[Query]) -> list[FloatArray]:
        told = asyncio.get_running_loop().create_future()
        submit = self._service.scheduler.submit
        ticket = submit(self._run, queries, placed=True, context=told)
        await cast("asyncio.Future[None]", told)
        self.tokens += sum(query.cost for query in queries)
        return ticket.result()


class Errands:
    """One at a time: each may take a CPU for as long as it takes."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._pool = ThreadPoolExecutor(1, "qingyu-errand")
        self._busy = False

    async def run(
        self,
        model: str,
        texts: Sequence[str],
        work: Callable[[Borrowed], R],
        charge: Callable[[int], Any],
        passes: int = 1,
    ) -> tuple[R, int]:
        """What `work` makes of a model that reads `texts`, `passes` times each; and the tokens that
        it read.

        `charge` is told what it will cost before it begins. Raises what the registry raises,
        RequestTooLargeError, OverloadedError where another errand is under way, and what `work`
        raises.
        """
        service = self._service
        loaded = service.registry.lease_loaded(model) or await service.registry.lease(model)
        try:
            cost = passes * sum(loaded.model.cost(EMBEDDING, text).tokens for text in texts)
            service.scheduler.check_size(cost)
            if self._busy:
                raise OverloadedError(RETRY_SECONDS)
            place = service.scheduler.reserve(cost)
            try:
                charge(cost)
                return await self._work(Borrowed(service, loaded), work)
            finally:
                service.scheduler.release(place)
        finally:
            service.registry.release(loaded)

    async def _work(self, model: Borrowed, work: Callable[[Borrowed], R]) -> tuple[R, int]:
        """Raises CancelledError when the client has left; the thread ends when it asks next."""
        self._busy = True
        coming = asyncio.get_running_loop().run_in_executor(self._pool, work, model)
        coming.add_done_callback(self._done)
        try:
            return await asyncio.shield(coming), model.tokens
        finally:
            model.given_up.set()

    def _done(self, coming: asyncio.Future[Any]) -> None:
        self._busy = False
        if not coming.cancelled():
            coming.exception()  # seen, even if the client has left
