"""A computation under way and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field

from .calls import Answer, Work
from .ticket import Ticket


@dataclass(eq=False)
class Flight:
    """One computation and how many requests wait for it; it is given up when none does.

    place:   what is reserved for it in the scheduler; `counted` once its tokens are known
    turn:    the works whose queries the scheduler has, under `ticket`
    futures: of those who wait, each its own, by key; gone when the key is settled
    """

    seconds: float | None
    deadline: float | None
    waiters: int = 0
    place: int = 0
    counted: bool = False
    turn: list[Work] = field(default_factory=list)
    ticket: Ticket | None = None
    task: asyncio.Task[None] | None = None
    works: list[tuple[Hashable, Work]] = field(default_factory=list)
    futures: dict[Hashable, list[asyncio.Future[Answer]]] = field(default_factory=dict)

    @property
    def open_works(self) -> list[Work]:
        return [work for _, work in self.works if not work.over]

    def wanted(self, now: float) -> bool:
        """Whether anybody still waits for it; asked between its steps, in whatever thread."""
        return self.waiters > 0 and (self.deadline is None or now <= self.deadline)

    def wait(self, key: Hashable) -> asyncio.Future[Answer]:
        """A future for one waiter: cancelling it affects no other."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.futures.setdefault(key, []).append(future)
        return future
