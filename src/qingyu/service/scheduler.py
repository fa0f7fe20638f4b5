"""The order in which queries run, which share a batch, and which requests are refused.

Everything is counted in tokens. Requests wait in one queue; whenever a worker is free it takes the
batch that is worth running now, so nothing ever waits for a batch to fill.

Order. A query's turn is `arrival + time to compute everything its request asked for up to it`.
Short requests overtake long ones that came a moment earlier, a request of many texts does not
push others back, and nothing starves: a turn, once given, only gets older.

Batches. The query whose turn is oldest leads; see `batching` for which join it.

Admission. A request is charged its tokens that wait or run, up to a share of the bound,
so that a few large requests cannot shut everyone else out. What goes beyond the bound is refused at
once; see `admission`. An admitted request keeps its place until it is answered, and is never
refused half-way: the later rounds of a task that asks the model several times always get in.

The scheduler owns no thread and reads no clock but the one it is given; `Workers` drives it.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from qingyu.errors import DeadlineError, OverloadedError, QingyuError
from qingyu.numbers import FloatArray
from qingyu.query import Query

from .admission import Admission
from .batching import together
from .errors import ClientGoneError, InferenceError, RequestTooLargeError, StoppingError
from .ticket import Batch, Item, Run, Ticket

Clock = Callable[[], float]

STEADY_BATCHES = 1.25  # of each lane, in an overload: one under way, and the next filling up
FIRST_GUESS_SECONDS_PER_TOKEN = 2e-4
SMOOTHING = 0.1


@dataclass
class Stats:
    """Running totals since the start, read by the metrics."""

    batches: int = 0
    queries: int = 0
    tokens: int = 0
    busy_seconds: float = 0.0
    expired: int = 0
    departed: int = 0
    failed_batches: int = 0


@dataclass
class Scheduler:
    """A bounded queue of queries and the rule by which batches are taken from it. Thread-safe.

    max_batch_tokens:   tokens of one batch; a longer query runs alone
    max_queue_tokens:   sum of charges above which requests are refused; a third of it in an
                        overload, and never less than keeps the lanes busy
    max_request_tokens: tokens of one request above which it is refused for good
    lanes:              batches that run at the same time, each taken by a thread of its own
    deliver:            called outside the lock with the tickets just settled, in a worker's thread
                        or in that of whoever called `expire` or `close`
    """

    deliver: Callable[[list[Ticket]], object]
    max_batch_tokens: int
    max_queue_tokens: int
    max_request_tokens: int
    lanes: int = 1
    clock: Clock = time.monotonic
    stats: Stats = field(default_factory=Stats)
    seconds_per_token: float = FIRST_GUESS_SECONDS_PER_TOKEN

    def __post_init__(self) -> None:
        self._ready = threading.Condition(threading.Lock())
        self._items: list[Item] = []
        busy = math.ceil(STEADY_BATCHES * self.lanes * self.max_batch_tokens)
        bound = self.max_queue_tokens
        self.admission = Admission(bound, min(bound, max(bound // 3, busy)))
        self._closed = False
        self._running = 0

    # -- coming in --------------------------------------------------------------------------------

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait for a lane now."""
        with self._ready:
            return sum(item.cost for item in self._items if not item.ticket.settled)

    def check_room(self, coming: float = 0.0) -> None:
        """Refuse a request before any work is done for it, where the bound is reached, or where an
        overload leaves no room for one of the usual size beside `coming` tokens of others.

        Raises OverloadedError.
        """
        with self._ready:
            if self.admission.turn_away(coming, self.clock()):
                self._refuse()

    def reserve(self, cost: int, deadline: float | None = None) -> int:
        """A place for a request of about `cost` tokens, taken before they are counted: of a
        thousand requests that come in the same moment only those that fit are tokenised.

        It is held, or what `resize` makes of it, until `release`, whatever the request submits
        meanwhile as `placed`. Raises OverloadedError.
        """
        with self._ready:
            self._admit(cost, self.clock(), deadline)
            charge = min(cost, self.admission.share)
            self.admission.held += charge
            return charge

    def resize(self, place: int, cost: int) -> int:
        """The place of a request whose tokens have been counted, for the one it took before."""
        with self._ready:
            charge = min(cost, self.admission.share)
            self.admission.held += charge - place
            return charge

    def release(self, place: int) -> None:
        with self._ready:
            self.admission.held -= place

    def check_size(self, tokens: int) -> None:
        """Raises RequestTooLargeError where a request could never be taken."""
        if tokens > self.max_request_tokens:
            raise RequestTooLargeError(tokens, self.max_request_tokens)

    def submit(
        self,
        run: Run,
        queries: Sequence[Query],
        *,
        deadline: float | None = None,
        placed: bool = False,
        context: object = None,
    ) -> Ticket:
        """Queue `queries` to be answered by `run`; `placed`: their request has a place already.

        `deadline` is a time of the scheduler's clock. Raises OverloadedError, RequestTooLargeError,
        and StoppingError.
        """
        if not queries:
            raise ValueError("a submission asks for something")
        now = self.clock()
        cost = sum(query.cost for query in queries)
        self.check_size(cost)
        ticket = Ticket(run, queries, deadline, now, [None] * len(queries), len(queries))
        ticket.context = context
        ticket.placed = placed
        with self._ready:
            if self._closed:
                raise StoppingError
            if not placed:
                self._admit(cost, now, deadline)
            turn = now
            for index, query in enumerate(queries):
                turn += query.cost * self.seconds_per_token
                insort(self._items, Item(turn, query.cost, ticket, index))
            self._charge(ticket, cost)
            self._ready.notify()
        return ticket

    def _admit(self, cost: int, now: float, deadline: float | None) -> None:
        books = self.admission
        room = books.ask(cost, now)
        late = deadline is not None and now + self._wait_for(books.tokens + cost) > deadline
        if not room or (late and books.held):
            self._refuse()

    def _refuse(self) -> None:
        self.admission.deny()
        raise OverloadedError(max(1.0, self._wait_for(self.admission.tokens)))

    def _wait_for(self, tokens: int) -> float:
        return tokens * self.seconds_per_token / self.lanes

    def _charge(self, ticket: Ticket, tokens: int) -> None:
        """Record how many tokens of a ticket wait or run from now on."""
        books = self.admission
        books.tokens += tokens - ticket.tokens_held
        if not ticket.placed:
            books.held += min(tokens, books.share) - min(ticket.tokens_held, books.share)
        ticket.tokens_held = tokens

    # -- leaving early ----------------------------------------------------------------------------

    def cancel(self, ticket: Ticket) -> None:
        """The client has left: what waits is skipped, what runs is thrown away."""
        with self._ready:
            if not ticket.settled:
                self.stats.departed += 1
                self._settle(ticket, ClientGoneError())

    def expire(self) -> None:
        """Settle what waits beyond its deadline; called now and then, and before each batch."""
        with self._ready:
            late = self._sweep()
        if late:
            self.deliver(late)

    def close(self) -> None:
        """Refuse new work, settle what waits, and let the workers go."""
        with self._ready:
            self._closed = True
            waiting = list(dict.fromkeys(item.ticket for item in self._items))
            open_tickets = [ticket for ticket in waiting if not ticket.settled]
            for ticket in open_tickets:
                self._settle(ticket, StoppingError())
            self._items.clear()
            self._ready.notify_all()
        if open_tickets:
            self.deliver(open_tickets)

    def _settle(self, ticket: Ticket, error: BaseException | None) -> None:
        ticket.settled = True
        ticket.error = error
        self._charge(ticket, 0)

    def _sweep(self) -> list[Ticket]:
        now = self.clock()
        late: list[Ticket] = []
        for item in self._items:
            ticket = item.ticket
            if not ticket.settled and ticket.deadline is not None and now > ticket.deadline:
                self.stats.expired += 1
                self._settle(ticket, DeadlineError(ticket.deadline - ticket.arrival))
                late.append(ticket)
        if any(item.ticket.settled for item in self._items):
            self._items = [item for item in self._items if not item.ticket.settled]
        return late

    # -- going out --------------------------------------------------------------------------------

    def take(self, *, wait: bool = True) -> Batch | None:
        """The batch to run now. None when closed, or when nothing waits and `wait` is false."""
        while True:
            with self._ready:
                late = self._sweep()
                batch = self._form() if self._items else None
                if batch is None and not late:
                    if self._closed or not wait:
                        return None
                    self._ready.wait()
                    continue
                if batch is not None:
                    self._running += 1
                    if self._items:
                        self._ready.notify()  # there is work for another lane
            if late:
                self.deliver(late)
            if batch is not None:
                return batch

    def _form(self) -> Batch:
        # What waits is shared out among the lanes that are free, rather than all given to one.
        free = max(1, self.lanes - self._running)
        share = math.ceil(sum(item.cost for item in self._items) / free)
        chosen = together(self._items, min(self.max_batch_tokens, share))
        taken = set(map(id, chosen))
        self._items = [item for item in self._items if id(item) not in taken]
        return Batch(chosen, self.clock())

    def work(self, batch: Batch) -> None:
        """Run a batch taken before and settle whom it completes.

        A batch that fails is put back to run item by item, so that only the item at fault fails.
        What is not an Exception (the worker itself going down) is raised after the same care.
        """
        queries = [item.ticket.queries[item.index] for item in batch.items]
        try:
            self._work(batch, queries)
        finally:
            with self._ready:
                self._running -= 1

    def _work(self, batch: Batch, queries: list[Query]) -> None:
        try:
            answers = batch.items[0].ticket.run(queries)
            if len(answers) != len(queries):
                raise RuntimeError(f"{len(answers)} answers to {len(queries)} queries")
        except BaseException as error:
            self._failed(batch, error)
            if not isinstance(error, Exception):
                raise
        else:
            self._done(batch, answers)

    def _done(self, batch: Batch, answers: list[FloatArray]) -> None:
        settled = []
        with self._ready:
            seconds = self.clock() - batch.started
            tokens = batch.tokens
            if seconds > 0:
                step = SMOOTHING * (seconds / tokens - self.seconds_per_token)
                self.seconds_per_token += step
            self.stats.batches += 1
            self.stats.queries += len(batch.items)
            self.stats.tokens += tokens
            self.stats.busy_seconds += max(0.0, seconds)
            for item, answer in zip(batch.items, answers, strict=True):
                ticket = item.ticket
                if ticket.settled:
                    continue
                ticket.answers[item.index] = answer
                ticket.left -= 1
                if ticket.left:
                    self._charge(ticket, ticket.tokens_held - item.cost)
                else:
                    self._settle(ticket, None)
                    settled.append(ticket)
        if settled:
            self.deliver(settled)

    def _failed(self, batch: Batch, error: BaseException) -> None:
        settled = []
        with self._ready:
            self.stats.failed_batches += 1
            for item in batch.items:
                ticket = item.ticket
                if ticket.settled:
                    continue
                if len(batch.items) == 1 or self._closed:
                    self._settle(ticket, StoppingError() if self._closed else _failure(error))
                    settled.append(ticket)
                    continue
                item.alone = True
                insort(self._items, item)
            self._ready.notify()
        if settled:
            self.deliver(settled)


def _failure(error: BaseException) -> QingyuError:
    if isinstance(error, QingyuError):
        return error
    failure = InferenceError()
    failure.__cause__ = error
    return failure
