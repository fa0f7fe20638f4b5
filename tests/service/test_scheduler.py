"""The scheduler against a fake clock and a fake model: no thread, no sleep, no real time."""

from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.errors import DeadlineError, NoMaskError, OverloadedError
from qingyu.numbers import FloatArray
from qingyu.query import Query
from qingyu.service.errors import (
    ClientGoneError,
    InferenceError,
    RequestTooLargeError,
    StoppingError,
)
from qingyu.service.scheduler import Scheduler
from qingyu.service.ticket import Ticket
from qingyu.service.workers import Workers


def query(cost: int, mark: int = 0) -> Query:
    ids = np.full(cost, mark, np.int64)
    return Query(ids, np.zeros(cost, np.int64), np.zeros(1, np.int64))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeRun:
    """Answers each query with its first token; takes a millisecond of fake time a token."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.batches: list[list[int]] = []
        self.poison: set[int] = set()
        self.error: BaseException = ValueError("poison")

    def run(self, queries: Sequence[Query]) -> list[FloatArray]:
        self.batches.append([q.cost for q in queries])
        self.clock.now += 0.001 * sum(q.cost for q in queries)
        if self.poison & {int(q.input_ids[0]) for q in queries}:
            raise self.error
        return [np.full((1, 1), q.input_ids[0], np.float32) for q in queries]


class Bench:
    """A scheduler, a model, a clock, and the tickets settled so far in order."""

    def __init__(
        self,
        max_batch_tokens: int = 512,
        max_queue_tokens: int = 1024,
        max_request_tokens: int = 65_536,
        lanes: int = 1,
    ) -> None:
        self.clock = Clock()
        self.model = FakeRun(self.clock)
        self.settled: list[Ticket] = []
        self.scheduler = Scheduler(
            self.settled.extend,
            max_batch_tokens,
            max_queue_tokens,
            max_request_tokens,
            lanes,
            self.clock,
        )
        self.scheduler.seconds_per_token = 0.001

    def submit(self, *costs: int, mark: int = 0, after: float | None = None) -> Ticket:
        deadline = None if after is None else self.clock.now + after
        queries = [query(cost, mark) for cost in costs]
        return self.scheduler.submit(self.model.run, queries, deadline=deadline)

    def step(self) -> bool:
        batch = self.scheduler.take(wait=False)
        if batch is None:
            return False
        self.scheduler.work(batch)
        return True

    def drain(self) -> None:
        while self.step():
            pass


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_lone_request_runs_at_once(bench: Bench) -> None:
    """Nothing waits for company: one waiting query is a batch."""
    ticket = bench.submit(10, mark=7)
    assert bench.step()
    assert ticket.result()[0].item() == 7
    assert bench.settled == [ticket]
    assert not bench.step()


def test_waiting_requests_of_one_length_share_a_batch(bench: Bench) -> None:
    """What waits together runs together, up to the tokens of a batch."""
    for _ in range(40):
        bench.submit(16)
    bench.drain()
    assert bench.model.batches == [[16] * 32, [16] * 8]


def test_a_long_query_takes_no_short_ones_along(bench: Bench) -> None:
    """Attention as wide as the long one would cost more than a batch of the short one's own."""
    bench.submit(250)
    bench.submit(16)
    bench.submit(240)
    bench.drain()
    assert sorted(map(sorted, bench.model.batches)) == [[16], [240, 250]]


def test_a_short_request_overtakes_a_long_one_of_the_same_moment(bench: Bench) -> None:
    """The turn is arrival plus one's own work, so the short one does not wait for the long."""
    long = bench.submit(400)
    short = bench.submit(8)
    bench.drain()
    assert bench.settled == [short, long]


def test_a_long_request_is_not_starved(bench: Bench) -> None:
    """Short requests that keep coming delay a long one by its own work at most."""
    bench.scheduler.max_queue_tokens = 10**6
    long = bench.submit(400)
    waited = bench.clock.now
    for _ in range(200):
        for _ in range(4):
            bench.submit(128)
        bench.step()
        if long.settled:
            break
    assert long.settled
    assert bench.clock.now - waited < 2.0


def test_a_request_of_many_texts_leaves_room_for_others(bench: Bench) -> None:
    """The texts of a large request come one after another, not all before the next client."""
    many = bench.submit(*[64] * 64)
    bench.step()
    one = bench.submit(64)
    bench.drain()
    assert bench.settled == [one, many]


def test_models_do_not_share_a_batch(bench: Bench) -> None:
    """A batch belongs to one model, however well the lengths agree."""
    other = FakeRun(bench.clock)
    bench.submit(16)
    bench.scheduler.submit(other.run, [query(16)])
    bench.drain()
    assert bench.model.batches == other.batches == [[16]]


def test_a_full_queue_refuses_at_once_and_says_when_to_return(bench: Bench) -> None:
    """Overload is answered before any work: the refused request never enters the queue."""
    for _ in range(16):
        bench.submit(512)
    with pytest.raises(OverloadedError) as refused:
        bench.submit(512)
    assert refused.value.retry_after >= 1.0
    with pytest.raises(OverloadedError):
        bench.scheduler.check_room()
    assert bench.scheduler.admission.refused == 2
    bench.drain()
    assert len(bench.settled) == 16
    bench.scheduler.check_room()


def test_large_requests_do_not_fill_the_queue_alone(bench: Bench) -> None:
    """A request is charged a sixteenth of the queue at most, so a short one still gets in."""
    for _ in range(15):
        bench.submit(*[500] * 20)
    assert bench.scheduler.admission.held == 15 * 64
    assert bench.scheduler.queued_tokens == bench.scheduler.admission.tokens == 15 * 20 * 500
    bench.submit(16)


def test_an_idle_service_takes_any_request_within_the_limit() -> None:
    """A query larger than a batch and the queue runs alone instead of being stuck."""
    bench = Bench(max_batch_tokens=64, max_queue_tokens=32)
    ticket = bench.submit(500, 500)
    bench.drain()
    assert bench.model.batches == [[500], [500]]
    assert ticket.settled


def test_a_request_beyond_the_limit_is_refused_for_good() -> None:
    """Too large is not busy: coming back later would not help, so it is another error."""
    bench = Bench(max_request_tokens=1000)
    with pytest.raises(RequestTooLargeError):
        bench.submit(*[500] * 3)


def test_a_later_round_of_admitted_work_is_never_refused(bench: Bench) -> None:
    """A task that asks the model again has a place, however full the queue became meanwhile."""
    for _ in range(16):
        bench.submit(512)
    again = bench.scheduler.submit(bench.model.run, [query(16)], placed=True)
    bench.drain()
    assert again.settled
    assert again.error is None


def test_a_deadline_that_passes_while_waiting_settles_the_request(bench: Bench) -> None:
    """What cannot be answered in time is not computed."""
    ticket = bench.submit(16, after=0.5)
    bench.clock.now += 0.6
    bench.scheduler.expire()
    assert isinstance(ticket.error, DeadlineError)
    assert bench.settled == [ticket]
    assert not bench.step()
    assert bench.model.batches == []


def test_a_deadline_that_cannot_be_met_is_refused_at_once(bench: Bench) -> None:
    """The wait is known from the tokens queued and the pace, so the refusal comes first."""
    for _ in range(3):
        bench.submit(100)
    with pytest.raises(OverloadedError):
        bench.submit(16, after=0.1)


def test_departed_clients_are_skipped(bench: Bench) -> None:
    """A cancelled request leaves the queue: neither computed nor counted."""
    gone = bench.submit(16, 16)
    stays = bench.submit(16)
    bench.scheduler.cancel(gone)
    assert bench.scheduler.queued_tokens == 16
    bench.drain()
    assert bench.model.batches == [[16]]
    assert bench.settled == [stays]
    with pytest.raises(ClientGoneError):
        gone.result()


def test_a_client_that_leaves_during_its_batch_harms_nobody(bench: Bench) -> None:
    """The batch goes on for the others; the answer of the departed is dropped."""
    gone, stays = bench.submit(16, mark=1), bench.submit(16, mark=2)
    batch = bench.scheduler.take(wait=False)
    assert batch is not None
    bench.scheduler.cancel(gone)
    bench.scheduler.work(batch)
    assert bench.settled == [stays]
    assert stays.result()[0].item() == 2


def test_one_bad_input_fails_alone(bench: Bench) -> None:
    """A failing batch is run again item by item; only the item at fault gets the error."""
    bench.model.poison = {3}
    tickets = [bench.submit(16, mark=mark) for mark in range(6)]
    bench.drain()
    assert bench.model.batches == [[16] * 6] + [[16]] * 6
    for mark, ticket in enumerate(tickets):
        if mark == 3:
            with pytest.raises(InferenceError) as failed:
                ticket.result()
            assert isinstance(failed.value.__cause__, ValueError)
        else:
            assert ticket.result()[0].item() == mark


def test_an_error_meant_for_people_reaches_them_unchanged(bench: Bench) -> None:
    """What the model says on purpose is not wrapped."""
    bench.model.poison = {1}
    bench.model.error = NoMaskError()
    ticket = bench.submit(16, mark=1)
    bench.drain()
    assert isinstance(ticket.error, NoMaskError)


def test_a_model_that_answers_too_little_is_caught(bench: Bench) -> None:
    """A wrong number of answers is a failure, not a shifted result."""
    ticket = bench.scheduler.submit(lambda queries: [], [query(16)])
    bench.drain()
    assert isinstance(ticket.error, InferenceError)


def test_free_lanes_share_what_waits() -> None:
    """With two lanes free each takes half; when one is busy the other takes what it can."""
    bench = Bench(lanes=2)
    for _ in range(16):
        bench.submit(16)
    first, second = bench.scheduler.take(wait=False), bench.scheduler.take(wait=False)
    assert first is not None
    assert second is not None
    assert len(first.items) == len(second.items) == 8
    bench.scheduler.work(first)
    for _ in range(16):
        bench.submit(16)
    third = bench.scheduler.take(wait=False)
    assert third is not None
    assert len(third.items) == 16


def test_closing_settles_what_waits_and_refuses_what_comes(bench: Bench) -> None:
    """Nobody is left waiting for a service that is going down."""
    ticket = bench.submit(16)
    bench.scheduler.close()
    assert isinstance(ticket.error, StoppingError)
    assert bench.settled == [ticket]
    assert bench.scheduler.take() is None
    with pytest.raises(StoppingError):
        bench.submit(16)


def test_the_pace_follows_what_was_measured(bench: Bench) -> None:
    """The estimate of seconds a token moves to what batches really take."""
    bench.scheduler.seconds_per_token = 1.0
    for _ in range(100):
        bench.submit(16)
        bench.step()
    assert bench.scheduler.seconds_per_token == pytest.approx(0.001, rel=0.05)


def test_a_clock_that_jumps_back_does_no_harm(bench: Bench) -> None:
    """Time running backwards neither loses a request nor spoils the pace."""
    ticket = bench.submit(16, after=10)
    batch = bench.scheduler.take(wait=False)
    assert batch is not None
    bench.clock.now -= 1000
    bench.scheduler.work(batch)
    assert ticket.result()
    assert bench.scheduler.seconds_per_token > 0


events = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.lists(st.integers(1, 600), min_size=1, max_size=6)),
        st.tuples(st.just("step"), st.none()),
        st.tuples(st.just("cancel"), st.integers(0, 50)),
        st.tuples(st.just("wait"), st.floats(0, 2)),
    ),
    max_size=60,
)


@given(events, st.sets(st.integers(0, 20), max_size=2))
def test_every_admitted_request_is_settled_once_and_the_books_balance(
    script: list[tuple[str, object]], poison: set[int]
) -> None:
    """Whatever comes in whatever order: each ticket ends exactly once, with its own answers or an
    error, no batch is larger than allowed, and an empty queue is charged nothing."""
    bench = Bench()
    bench.model.poison = poison
    tickets: list[Ticket] = []
    for what, value in script:
        if what == "submit":
            assert isinstance(value, list)
            with contextlib.suppress(OverloadedError):
                tickets.append(bench.submit(*value, mark=len(tickets), after=3.0))
        elif what == "step":
            bench.step()
        elif what == "cancel" and tickets:
            assert isinstance(value, int)
            bench.scheduler.cancel(tickets[value % len(tickets)])
        elif what == "wait":
            assert isinstance(value, float)
            bench.clock.now += value
        books = bench.scheduler.admission
        assert 0 <= books.held <= books.tokens
        assert bench.scheduler.queued_tokens <= books.tokens
    bench.drain()
    assert bench.scheduler.queued_tokens == 0
    assert bench.scheduler.admission.held == bench.scheduler.admission.tokens == 0
    assert all(ticket.settled for ticket in tickets)
    assert len(set(map(id, bench.settled))) == len(bench.settled)
    for mark, ticket in enumerate(tickets):
        if ticket.error is None:
            assert [a.item() for a in ticket.result()] == [mark] * len(ticket.queries)
    for costs in bench.model.batches:
        assert len(costs) == 1 or sum(costs) <= bench.scheduler.max_batch_tokens


def test_a_worker_that_dies_is_replaced() -> None:
    """After something worse than an error the next thread goes on: the innocent get answers."""
    bench = Bench()
    done = threading.Event()
    bench.scheduler.deliver = lambda tickets: (
        bench.settled.extend(tickets),
        len(bench.settled) == 3 and done.set(),
    )
    bench.model.poison = {1}
    bench.model.error = SystemExit()
    tickets = [bench.submit(16, mark=mark) for mark in range(3)]
    workers = Workers(bench.scheduler)
    workers.start()
    assert done.wait(10)
    assert [ticket.error is None for ticket in tickets] == [True, False, True]
    assert workers.replaced == 2
    assert workers.healthy
    bench.scheduler.close()
    workers.join(10)
    assert workers.alive == 0


def test_a_worker_that_waits_keeps_no_answers() -> None:
    """What a batch brought is let go of before the next one is waited for."""
    bench = Bench()
    bench.submit(10)
    waiting, asked = threading.Event(), threading.Event()
    batches: list[weakref.ref[object]] = []
    take = bench.scheduler.take

    def watched() -> object:
        if batches:  # the worker is back for more
            waiting.set()
            asked.wait(10)
            return None
        batch = take()
        batches.append(weakref.ref(batch))  # type: ignore[arg-type]
        return batch

    bench.scheduler.take = watched  # type: ignore[method-assign, assignment]
    workers = Workers(bench.scheduler)
    workers.start()
    assert waiting.wait(10)
    bench.settled.clear()
    gc.collect()
    assert batches[0]() is None
    asked.set()
    workers.join(10)


def test_a_stuck_worker_is_told() -> None:
    """A batch that never ends makes the workers unhealthy, while the thread is still there."""
    bench = Bench()
    entered, release = threading.Event(), threading.Event()

    def stuck(queries: Sequence[Query]) -> list[FloatArray]:
        entered.set()
        release.wait(10)
        return [np.zeros((1, 1), np.float32) for _ in queries]

    workers = Workers(bench.scheduler, stall_seconds=60, clock=bench.clock)
    workers.start()
    bench.scheduler.submit(stuck, [query(8)])
    assert entered.wait(10)
    assert workers.healthy
    bench.clock.now += 61
    assert not workers.healthy
    release.set()
    bench.scheduler.close()
    workers.join(10)
