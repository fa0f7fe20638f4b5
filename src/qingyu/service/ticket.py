"""The scheduler's queue entries: tickets, their items, and the batches taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qingyu.numbers import FloatArray
from qingyu.query import Query

Run = Callable[[Sequence[Query]], list[FloatArray]]


@dataclass(eq=False)
class Ticket:
    """One admitted submission: its queries, and their answers as they come.

    It is settled once: with all `answers` there, or with an `error`.
    """

    run: Run
    queries: Sequence[Query]
    deadline: float | None
    arrival: float
    answers: list[FloatArray | None]
    left: int
    placed: bool = False  # its request holds a place already, and the ticket is not charged
    tokens_held: int = 0  # of its queries, those not answered yet
    error: BaseException | None = None
    settled: bool = False
    context: object = None

    def result(self) -> list[FloatArray]:
        """The answers in the order of the queries; raises the error the ticket was settled with."""
        if self.error is not None:
            raise self.error
        return [answer for answer in self.answers if answer is not None]


@dataclass(eq=False)
class Item:
    """One query in the queue. `alone` is set when a batch it was in has failed."""

    turn: float
    cost: int
    ticket: Ticket
    index: int
    alone: bool = False

    def __lt__(self, other: Item) -> bool:
        return self.turn < other.turn


@dataclass(eq=False)
class Batch:
    """Queries that run together."""

    items: list[Item]
    started: float

    @property
    def tokens(self) -> int:
        return sum(item.cost for item in self.items)
