"""How the generators of tasks are driven: together, in order, within bounds."""

from __future__ import annotations

import numpy as np
import pytest

from qingyu.errors import InputError
from qingyu.numbers import FloatArray
from qingyu.query import Query, Steps
from qingyu.tasks.drive import Running, complete, together


def query(number: int, rows: int = 1) -> Query:
    return Query(np.array([number]), np.zeros(1, np.int64), np.arange(rows))


def double(queries: list[Query]) -> list[FloatArray]:
    """Answers that tell which query they belong to."""
    return [np.full((1, 1), 2 * query.input_ids[0], np.float32) for query in queries]


def total(*rounds: list[int]) -> Steps[int]:
    """Asks numbers in rounds; its result is the sum of all answers."""
    answered = 0
    for numbers in rounds:
        for answer in (yield [query(number) for number in numbers]):
            answered += int(answer[0, 0])
    return answered


def test_results_are_in_order_whoever_ends_first() -> None:
    """Tasks of no, one and several rounds come back in the order given, each with its own."""
    tasks = [total([1], [2], [3]), total(), total([4, 5]), total([6], [7])]
    assert complete(tasks, double) == [12, 0, 18, 26]


def test_what_is_asked_at_one_time_is_answered_together() -> None:
    """All tasks under way share each round's batch."""
    sizes: list[int] = []

    def run(queries: list[Query]) -> list[FloatArray]:
        sizes.append(len(queries))
        return double(queries)

    assert complete([total([1, 2], [3]), total([4])], run) == [12, 8]
    assert sizes == [3, 1]


@pytest.mark.parametrize("bounds", [{"rows_at_once": 3}, {"tasks_at_once": 3}])
def test_so_many_are_under_way_and_no_more(bounds: dict[str, int]) -> None:
    """A further task starts only when one of those under way has ended."""
    sizes: list[int] = []

    def run(queries: list[Query]) -> list[FloatArray]:
        sizes.append(len(queries))
        return double(queries)

    assert complete((total([n], [n]) for n in range(8)), run, **bounds) == [4 * n for n in range(8)]
    assert max(sizes) == 3
    assert sum(sizes) == 16


def test_a_task_drives_its_parts_as_one() -> None:
    """`together` is a task whose rounds join those of its parts."""
    running = Running(together([total([1], [2]), total(), total([3])]))
    assert [q.input_ids[0] for q in running.queries] == [1, 3]
    running.advance(double(list(running.queries)))
    assert [q.input_ids[0] for q in running.queries] == [2]
    running.advance(double(list(running.queries)))
    assert running.over
    assert running.result == [6, 0, 6]


def test_a_round_that_asks_nothing_is_no_round() -> None:
    """Empty lists of queries are answered at once, without a visit to the model."""
    running = Running(total([], [1], [], []))
    assert [q.input_ids[0] for q in running.queries] == [1]
    running.advance(double(list(running.queries)))
    assert running.over
    assert not running.queries
    assert running.rows == 0


def test_what_a_task_raises_reaches_who_drives_it() -> None:
    """An error is not swallowed on its way out of a task within tasks."""

    def failing() -> Steps[int]:
        yield [query(1)]
        raise InputError("错", "wrong")

    with pytest.raises(InputError):
        complete([together([total([1], [2]), failing()])], double)
