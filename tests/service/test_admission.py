"""Who is let in, on a fake clock: bursts are, a standing queue is not."""

from __future__ import annotations

import pytest

from qingyu.service.admission import Admission, default_bound
from tests.service.overloading import SECONDS_PER_TOKEN, Overloading

MIXED = (16, 9, 40, 12, 48, 16, 24, 7)


@pytest.fixture
def books() -> Admission:
    return Admission(bound=768, steady=384)


def enter(books: Admission, cost: int, now: float) -> bool:
    """One request as the scheduler handles it."""
    if not books.ask(cost, now):
        books.deny()
        return False
    books.held += min(cost, books.share)
    return True


@pytest.mark.parametrize("lanes", [1, 2, 8])
@pytest.mark.parametrize("cost", [3, 30, 48, 500, 60_000])
def test_sixteen_clients_are_let_in_whatever_they_ask(lanes: int, cost: int) -> None:
    """The default bound holds sixteen requests at once, short or long, on few lanes or many."""
    bound = default_bound(lanes, 128)
    books = Admission(bound, bound // 3)
    assert all(enter(books, cost, 0.0) for _ in range(16))


def test_an_overflow_lowers_what_is_given_away(books: Admission) -> None:
    """A burst may fill the bound; after the first refusal only the steady one is given away."""
    while enter(books, 16, 0.0):
        pass
    assert books.held == 768
    books.held = 384
    assert not enter(books, 16, 0.1)
    books.held = 368
    assert enter(books, 16, 0.2)
    assert not books.room(1)


def test_room_for_less_than_the_usual_request_is_none(books: Admission) -> None:
    """In an overload what is left between two requests is no reason to look at the next one; a
    small one that is looked at is let in all the same."""
    while enter(books, 22, 0.0):
        pass
    books.held = 384 - 22
    assert not books.crowded()
    assert enter(books, 16, 0.1)
    assert books.crowded()
    books.held = 384 - 30
    assert not books.turn_away(0, 0.2)
    assert books.turn_away(22, 0.2)
    books.held = 384 - 6
    assert books.room(6)
    assert not books.room(7)
    books.overloaded = False
    assert not books.crowded()


def test_an_overload_lasts_while_many_are_refused(books: Admission) -> None:
    """Window after window, as long as more than a tenth of those who ask have to be refused."""
    while enter(books, 16, 0.0):
        pass
    for second in range(1, 60):
        books.held = 384
        for _ in range(2):
            enter(books, 16, float(second))
        books.held = 0
        for _ in range(10):
            assert enter(books, 16, float(second))
        assert books.overloaded


def test_an_overload_ends_when_few_are_refused(books: Admission) -> None:
    """Once nearly all who ask are let in, a burst may fill the bound again."""
    while enter(books, 16, 0.0):
        pass
    for second in range(1, 12):
        books.held = 0
        assert enter(books, 16, float(second))
    assert not books.overloaded


def test_an_overload_is_forgotten_in_a_pause(books: Admission) -> None:
    """Nobody asked for a while: the next burst finds the whole bound."""
    while enter(books, 16, 0.0):
        pass
    books.held = 0
    assert enter(books, 16, 60.0)
    assert not books.overloaded


def test_a_clock_that_jumps_does_not_keep_an_overload(books: Admission) -> None:
    """Backwards or far forwards, the windows go on from where the clock is."""
    while enter(books, 16, 1e6):
        pass
    books.held = 0
    for now in (0.0, 6.0, 12.0):
        assert enter(books, 16, now)
    assert not books.overloaded


@pytest.mark.parametrize("costs", [(16,), MIXED])
def test_a_minute_of_tenfold_overload(costs: tuple[int, ...]) -> None:
    """Ten times more arrives than can be computed: the lane stays busy, those let in wait no longer
    than a third of the bound and three batches take, the rest are refused at once, and the next
    minute is as the one before."""
    house = Overloading()
    calm = house.run(60, 0.8, costs)
    assert calm.refused == 0
    storm = house.run(60, 10.0, costs)
    mean = sum(costs) / len(costs)
    assert len(storm.waits) * mean * SECONDS_PER_TOKEN > 0.95 * 60
    assert storm.refused > 5 * len(storm.waits)
    longest = (house.scheduler.admission.steady + 3 * 128) * SECONDS_PER_TOKEN
    late = sum(wait > longest for wait in storm.waits)
    assert late < 0.01 * len(storm.waits)  # the burst that began it
    after = house.run(60, 0.8, costs)
    assert after.refused == 0
    assert max(after.waits) < longest
