"""A bound on the memory that all requests hold together."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from qingyu.errors import OverloadedError

RETRY_SECONDS = 1.0


@dataclass
class Allowance:
    """`limit` bytes (or tokens) for all; the first `free` of each are not counted, so that however
    much large requests hold, a small one is never refused. Belongs to one event loop and takes no
    lock."""

    limit: int
    free: int
    held: int = 0

    def hold(self) -> Held:
        return Held(self)


@dataclass
class Held:
    """What one request holds; given back at the end of a `with`, or by `release`."""

    of: Allowance
    bytes: int = 0

    def take(self, size: int) -> None:
        """Raises OverloadedError where others hold too much. One alone may hold any size."""
        before, self.bytes = self._counted, self.bytes + size
        more = self._counted - before
        if more and self.of.held > before and self.of.held + more > self.of.limit:
            self.bytes -= size
            raise OverloadedError(RETRY_SECONDS)
        self.of.held += more

    def release(self) -> None:
        self.of.held -= self._counted
        self.bytes = 0

    @property
    def _counted(self) -> int:
        return max(0, self.bytes - self.of.free)

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.release()
