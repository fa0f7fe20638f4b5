"""Requests that arrive on their own, on a fake clock, at a scheduler that cannot keep up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from qingyu.errors import OverloadedError
from qingyu.numbers import FloatArray
from qingyu.query import Query
from qingyu.service.admission import default_bound
from qingyu.service.scheduler import Scheduler
from qingyu.service.ticket import Ticket

SECONDS_PER_TOKEN = 0.001


@dataclass
class Seen:
    """Seconds from arrival to answer of those let in, and how many were refused."""

    waits: list[float] = field(default_factory=list)
    refused: int = 0


class Overloading:
    """One lane that takes a millisecond of fake time a token."""

    def __init__(self, max_batch_tokens: int = 128) -> None:
        self.now = 0.0
        self.scheduler = Scheduler(
            self._settled,
            max_batch_tokens=max_batch_tokens,
            max_queue_tokens=default_bound(1, max_batch_tokens),
            max_request_tokens=65_536,
            clock=lambda: self.now,
            seconds_per_token=SECONDS_PER_TOKEN,
        )
        self.seen = Seen()

    def run(self, seconds: float, load: float, tokens: Sequence[int]) -> Seen:
        """Arrivals for so many seconds at `load` times what can be computed, costs in turn; and
        all that were let in are answered."""
        self.seen = Seen()
        begin = arrival = self.now
        number = 0
        while arrival < begin + seconds:
            self._work_until(arrival)
            cost = tokens[number % len(tokens)]
            self._arrive(cost, arrival)
            arrival += cost * SECONDS_PER_TOKEN / load
            number += 1
        self._work_until(float("inf"))
        return self.seen

    def _work_until(self, arrival: float) -> None:
        """Run batches until the next arrival; the last may end after it, as batches do."""
        while self.now < arrival and (batch := self.scheduler.take(wait=False)) is not None:
            self.scheduler.work(batch)
        if self.now < arrival < float("inf"):
            self.now = arrival

    def _arrive(self, cost: int, arrival: float) -> None:
        ids = np.zeros(cost, np.int64)
        asked = Query(ids, ids, np.zeros(1, np.int64))
        try:
            self.scheduler.check_room()
            self.scheduler.submit(self._answer, [asked], context=arrival)
        except OverloadedError:
            self.seen.refused += 1

    def _answer(self, queries: Sequence[Query]) -> list[FloatArray]:
        self.now += SECONDS_PER_TOKEN * sum(query.cost for query in queries)
        return [np.zeros((1, 1), np.float32) for _ in queries]

    def _settled(self, tickets: list[Ticket]) -> None:
        for ticket in tickets:
            assert isinstance(ticket.context, float)
            self.seen.waits.append(self.now - ticket.context)
