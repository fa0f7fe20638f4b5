"""From a call to its answer: cache, work already in flight, scheduler, model."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import cast

from qingyu.engine import heap
from qingyu.engine.batch import neighbours
from qingyu.errors import DeadlineError, QingyuError, ServiceError
from qingyu.query import Cost
from qingyu.tasks.drive import deal

from .cache import Cache, keys_of
from .calls import Answer, Call, Work, equipped, light, start_all
from .errors import (
    AnswerTooLargeError,
    InferenceError,
    ItemError,
    RequestTooLargeError,
    StoppingError,
)
from .flight import Flight
from .registry import Registry
from .scheduler import Scheduler
from .slots import Loaded
from .ticket import Ticket
from .workers import Workers

log = logging.getLogger("qingyu.service")

# Up to this much is done on the event loop itself: about a millisecond at worst, where handing it
# to a thread and back costs a fifth of that each time (measured). More goes to a thread.
INLINE_CHARACTERS = 600
INLINE_TOKENS = 600
INLINE_POSITIONS = 4
ROWS_AT_ONCE = 128  # of one request: a row may hold a number for every word of the vocabulary
SLICE_SECONDS = 0.05  # of one request in the thread for text
TICK_SECONDS = 0.25
REFRESH_TICKS = 4
TRIM_TICKS = 8  # what a rare long text took is given back; taking it again costs a millisecond


class Service:
    """Answers calls on one event loop. Computing happens in the workers' threads."""

    def __init__(
        self,
        registry: Registry,
        scheduler: Callable[..., Scheduler],
        *,
        cache_bytes: int,
        max_answer_bytes: int,
        workers: int = 1,
    ) -> None:
        self.registry = registry
        self.cache = Cache(cache_bytes)
        self._caching = self.cache.limit > 0
        self.shared = 0
        self.max_answer_bytes = max_answer_bytes
        self.scheduler = scheduler(deliver=self._deliver)
        self.workers = Workers(self.scheduler, workers)
        self._inflight: dict[Hashable, Flight] = {}
        self._pool = ThreadPoolExecutor(1, "qingyu-text")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.workers.start()
        self._tending = asyncio.ensure_future(self._tend())

    async def stop(self) -> None:
        """Settle what waits, end the threads, close the models."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait([self._tending])
        self.scheduler.close()
        await asyncio.to_thread(self.workers.join, 10.0)
        await self.registry.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def cost(self, model: str, calls: Sequence[Call]) -> Cost:
        """What answering `calls` will cost, from their sizes alone; what is in the cache costs no
        tokens.

        Raises what the registry raises, and RequestTooLargeError and AnswerTooLargeError where it
        is more than is taken in one request.
        """
        loaded = self.registry.lease_loaded(model) or await self.registry.lease(model)
        try:
            if light(calls, INLINE_CHARACTERS):
                return self._cost(loaded, calls)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._cost, loaded, calls)
        finally:
            self.registry.release(loaded)

    def _cost(self, loaded: Loaded, calls: Sequence[Call]) -> Cost:
        total = Cost(0, 0)
        keys: Iterable[Hashable] = keys_of(loaded.model.digest, calls) if self._caching else count()
        # Checked as it grows: the sizes of what is too much are not all looked at.
        for call, key in zip(calls, keys, strict=False):
            if (known := self.cache.size_of(key)) is not None:
                total += Cost(0, known)
            else:
                cost = equipped(loaded.model, call).cost
                total += cost(call.task, *call.inputs, **dict(call.parameters))
            self.scheduler.check_size(total.tokens)
            if total.bytes > self.max_answer_bytes:
                raise AnswerTooLargeError(total.bytes, self.max_answer_bytes)
        return total

    async def answer(
        self,
        model: str,
        calls: Sequence[Call],
        *,
        timeout: float | None = None,
        cost: Cost | None = None,
    ) -> list[Answer]:
        """The answers to `calls`, in order, computed together.

        `timeout` is in seconds from now; `cost` is what `cost` told, where it was asked already.
        Cancelling gives up what nobody else waits for. Raises what `cost`, the scheduler and the
        tasks raise; for one of several calls, ItemError.
        """
        cost = cost or await self.cost(model, calls)
        loaded = self.registry.lease_loaded(model) or await self.registry.lease(model)
        flights: list[Flight] = []
        try:
            answers, waiting = self._look_up(loaded, calls, flights, timeout, cost)
            if len(calls) == 1:
                for index, future in waiting.items():
                    answers[index] = await future
            elif waiting:
                await asyncio.wait(set(waiting.values()), return_when=asyncio.FIRST_EXCEPTION)
                for index, future in waiting.items():
                    if future.done() and (error := future.exception()) is not None:
                        raise _placed(index, error)
                for index, future in waiting.items():
                    answers[index] = future.result()
        finally:
            for flight in flights:
                self._leave(flight)
            self.registry.release(loaded)
        return [answer for answer in answers if answer is not None]

    def _look_up(
        self,
        loaded: Loaded,
        calls: Sequence[Call],
        flights: list[Flight],
        timeout: float | None,
        cost: Cost,
    ) -> tuple[list[Answer | None], dict[int, asyncio.Future[Answer]]]:
        """Cached answers, and futures of the others; starts what is not under way yet."""
        answers: list[Answer | None] = [None] * len(calls)
        waiting: dict[int, asyncio.Future[Answer]] = {}
        mine = Flight(timeout, None if timeout is None else self.scheduler.clock() + timeout)
        keys: Iterable[Hashable] = keys_of(loaded.model.digest, calls) if self._caching else count()
        for index, (call, key) in enumerate(zip(calls, keys, strict=False)):
            if self._caching:
                answers[index] = self.cache.get(key)
                if answers[index] is not None:
                    continue
                flight = self._inflight.get(key, mine)
                if flight is not mine or key in mine.futures:
                    waiting[index] = flight.wait(key)
                    self.shared += 1
                    if flight is not mine and flight not in flights:
                        flight.waiters += 1
                        flights.append(flight)
                    continue
            waiting[index] = mine.wait(key)
            mine.works.append((key, Work(call)))
        if mine.works:
            self._take_off(loaded, mine, max(1, cost.tokens))
            flights.append(mine)
        return answers, waiting

    def _take_off(self, loaded: Loaded, flight: Flight, cost: int) -> None:
        """Get a place and begin; what is light is queued before this returns, since each turn of a
        busy event loop takes its time. Raises OverloadedError."""
        works = flight.open_works
        flight.place = self.scheduler.reserve(cost, flight.deadline)
        flight.waiters += 1
        loaded.leases += 1
        if self._caching:
            self._inflight.update((key, flight) for key, _ in flight.works)
        inline = cost <= INLINE_TOKENS and light((w.call for w in works), INLINE_CHARACTERS)
        if inline:
            start_all(loaded.model, works)
        flight.task = asyncio.ensure_future(self._fly(loaded, flight, inline))
        flight.task.add_done_callback(lambda task: self._land(loaded, flight, task))
        if inline:
            with contextlib.suppress(QingyuError):  # the same again in its task, which tells it
                self._queue(loaded, flight)

    async def _fly(self, loaded: Loaded, flight: Flight, started: bool) -> None:
        if not started:
            await self._in_thread(flight, flight.open_works, partial(start_all, loaded.model))
        if flight.ticket is None:
            self._queue(loaded, flight)
        while flight.ticket is not None:
            await cast("asyncio.Future[None]", flight.ticket.context)
            try:
                answers = flight.ticket.result()
            except DeadlineError:  # it is the whole request's, not this round's
                raise DeadlineError(flight.seconds or 0.0) from None
            if started and sum(map(len, answers)) <= INLINE_POSITIONS:
                deal(iter(answers), flight.turn)
            else:
                await self._in_thread(flight, flight.turn, partial(deal, iter(answers)))
            self._queue(loaded, flight)

    def _queue(self, loaded: Loaded, flight: Flight) -> None:
        """Settle what is over and put the next queries in the scheduler; no ticket: all is over.

        Raises RequestTooLargeError, StoppingError.
        """
        flight.ticket = None
        self._settle(flight)
        works = flight.open_works
        if not works:
            return
        if not flight.counted:
            flight.counted = True
            tokens = sum(work.tokens for work in works)
            self.scheduler.check_size(tokens)
            flight.place = self.scheduler.resize(flight.place, tokens)
        flight.turn = _some(works)
        queries = [query for work in flight.turn for query in work.queries]
        context, submit = asyncio.get_running_loop().create_future(), self.scheduler.submit
        flight.ticket = submit(
            loaded.model.run_batch, queries, deadline=flight.deadline, placed=True, context=context
        )

    def _land(self, loaded: Loaded, flight: Flight, task: asyncio.Task[None]) -> None:
        """Whatever the outcome: settle all waiters, empty the queue, return the lease."""
        error = StoppingError() if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, QingyuError):
            log.error("computing failed unexpectedly", exc_info=error)
            error = InferenceError()
        if flight.ticket is not None:
            self.scheduler.cancel(flight.ticket)
        self._settle(flight, error)
        self.scheduler.release(flight.place)
        self.registry.release(loaded)

    def _leave(self, flight: Flight) -> None:
        """A request stops waiting; what nobody waits for is given up."""
        flight.waiters -= 1
        if not flight.waiters and flight.task is not None and not flight.task.done():
            for key, _ in flight.works:
                self._forget(flight, key)
            flight.task.cancel()

    def _forget(self, flight: Flight, key: Hashable) -> None:
        if self._inflight.get(key) is flight:
            del self._inflight[key]

    def _settle(self, flight: Flight, error: BaseException | None = None) -> None:
        """Settle the futures of the calls that are over; of all of them, if there is an error."""
        for key, work in flight.works:
            if key not in flight.futures or not (work.over or error):
                continue
            self._forget(flight, key)
            if work.answer is not None and self._caching:
                self.cache.put(key, work.answer)
            for future in flight.futures.pop(key):
                if future.done():  # who waited has left
                    continue
                if work.answer is not None:
                    future.set_result(work.answer)
                else:
                    future.set_exception(work.error or error or StoppingError())
                    future.exception()  # seen, even if every client has left

    async def _in_thread(
        self, flight: Flight, works: list[Work], step: Callable[[Iterable[Work]], None]
    ) -> None:
        """One step of works in the thread for text, for a slice of time at once: then it is the
        next request's turn. Given up when nobody waits any more. Raises DeadlineError."""
        clock = self.scheduler.clock
        left = list(reversed(works))

        def some() -> Iterator[Work]:
            end = clock() + SLICE_SECONDS
            while left and clock() <= end and flight.wanted(clock()):
                yield left.pop()

        while left:
            await asyncio.get_running_loop().run_in_executor(self._pool, step, some())
            if not flight.wanted(clock()):
                raise DeadlineError(flight.seconds or 0.0)

    def _deliver(self, tickets: list[Ticket]) -> None:
        """Called in a worker's thread: wake those who wait, once for all of a batch."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(_wake, tickets)

    async def _tend(self) -> None:
        """Periodic work, requests or not: expired deadlines, changed bundles."""
        ticks = trimmed = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            ticks += 1
            try:
                self.scheduler.expire()
                if ticks % REFRESH_TICKS == 0:
                    await self.registry.refresh()
                batches = self.scheduler.stats.batches
                if ticks % TRIM_TICKS == 0 and batches != trimmed:
                    trimmed = batches
                    await asyncio.to_thread(heap.trim)
            except Exception:
                log.exception("tending failed")


def _some(works: list[Work]) -> list[Work]:
    """The first few works whose answers can be held at once, one at least."""
    return next(neighbours(works, _positions, ROWS_AT_ONCE))


def _positions(work: Work) -> int:
    return sum(len(query.positions) for query in work.queries)


def _wake(tickets: list[Ticket]) -> None:
    for ticket in tickets:
        future = ticket.context
        if isinstance(future, asyncio.Future) and not future.done():
            future.set_result(None)


def _placed(index: int, error: BaseException) -> BaseException:
    """Names the text of several that failed; overload, deadline and size concern all of them."""
    of_all = isinstance(error, ServiceError | RequestTooLargeError | AnswerTooLargeError)
    if isinstance(error, QingyuError) and not of_all:
        return ItemError(index, error)
    return error
