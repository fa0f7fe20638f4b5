"""Admission: a bound on tokens admitted and not answered yet, which falls in an overload.

A queue is there for bursts: sixteen clients that ask in the same moment should all be let in, and
what they brought is soon gone. A queue that stays long does nothing but make everyone wait, since
the lanes are busy either way. So a burst may fill all of it; once it has overflowed only a third
is given away, which keeps the lanes busy and the wait of those let in short, until few are refused.

The bound is in tokens and so in batches: it means the same share of a request's time on a fast
model and on a slow one.
"""

from __future__ import annotations

from dataclasses import dataclass

SHARE = 16  # one request is charged at most 1/SHARE of the bound
LANE_BATCHES = 3  # of each lane, by default: one under way and two waiting
LEAST_TOKENS = 768  # the default's least: sixteen clients of 48 tokens

WINDOW_SECONDS = 5.0  # how often an overload is looked at again
USUAL_OF = 8  # requests
FEW = 0.1  # it is over when a smaller share than this was refused in a window


def default_bound(lanes: int, max_batch_tokens: int) -> int:
    """Default bound on admitted, unanswered tokens."""
    return max(LEAST_TOKENS, LANE_BATCHES * lanes * max_batch_tokens)


@dataclass
class Admission:
    """Counters of the scheduler, guarded by its lock. Times are of the scheduler's clock.

    bound:  tokens that a burst may fill
    steady: tokens given away in an overload
    held:   charges of admitted requests, each at most `share`
    tokens: all their tokens, from which the wait follows
    usual:  charge of the requests of late that were let in
    """

    bound: int
    steady: int
    held: int = 0
    tokens: int = 0
    usual: float = 1.0
    refused: int = 0
    overloaded: bool = False
    _window_began: float = 0.0
    _asked: int = 0
    _denied: int = 0

    @property
    def share(self) -> int:
        return max(1, self.bound // SHARE)

    @property
    def limit(self) -> int:
        """The bound that holds now."""
        return self.steady if self.overloaded else self.bound

    def crowded(self, coming: float = 0.0) -> bool:
        """Whether an overload leaves no room for a request of the usual size beside `coming` tokens
        of others that have not asked yet."""
        return self.overloaded and self.held + coming + self.usual > self.limit

    def room(self, cost: float) -> bool:
        """Whether there is room for `cost` tokens. With nothing admitted, there is for any."""
        return not self.held or self.held + min(cost, self.share) <= self.limit

    def ask(self, cost: int, now: float) -> bool:
        """Whether a request of `cost` tokens is admitted."""
        self._look(now)
        self._asked += 1
        room = self.room(cost)
        if room:
            self.usual += (min(cost, self.share) - self.usual) / USUAL_OF
        return room

    def turn_away(self, coming: float, now: float) -> bool:
        """Whether a request of unknown size is refused; if so, it counts as one that asked."""
        self._look(now)
        refused = not self.room(1) or self.crowded(coming)
        self._asked += refused
        return refused

    def deny(self) -> None:
        """A request that asked was refused."""
        self.refused += 1
        self._denied += 1
        if not self.overloaded:
            self.overloaded = True
            self._asked = self._denied = 0

    def _look(self, now: float) -> None:
        passed = now - self._window_began
        if 0 <= passed < WINDOW_SECONDS:
            return
        quiet = passed >= 2 * WINDOW_SECONDS or self._denied <= FEW * self._asked
        self.overloaded = self.overloaded and not quiet
        self._window_began = now
        self._asked = self._denied = 0
