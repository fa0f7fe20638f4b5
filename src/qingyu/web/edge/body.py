"""Reading a request: never more than allowed, never longer than allowed, never more of all of them
together than there is room for; and noticing who left."""

from __future__ import annotations

import asyncio
from types import TracebackType

from starlette.requests import Request
from starlette.types import Message, Receive

from qingyu.service.errors import ClientGoneError

from .allowance import Held
from .errors import RequestError, body_too_large

# A client that leaves sooner costs less than watching for it does.
WATCH_AFTER_SECONDS = 0.05


async def read_body(request: Request, limit: int, timeout: float, held: Held) -> bytes:
    """The whole body. Raises RequestError (body_too_large, body_timeout), ClientGoneError, and
    OverloadedError where too much of other bodies is being read.

    The limit holds for what arrives, whatever Content-Length says.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise body_too_large(limit)
    pieces: list[bytes] = []
    size = 0
    more = True
    with _Alarm(timeout):
        while more:
            message = await request.receive()
            piece = _piece(message)
            more = bool(message.get("more_body"))
            size += len(piece)
            if size > limit:
                raise body_too_large(limit)
            held.take(len(piece))
            pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def check_json(request: Request, *others: str) -> None:
    """Raises RequestError where the client does not say that its body is JSON.

    A page of another site can send anything but that without asking first. `others` are accepted
    too; "" is a request that says nothing.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"application/json", *others} and not kind.endswith("+json"):
        raise RequestError(
            "unsupported_media_type",
            "请求体应为 JSON（Content-Type: application/json）。",
            "The body should be JSON (Content-Type: application/json).",
        )


def _piece(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    body: bytes = message.get("body", b"")
    return body


class _Interrupt:
    """Cancels the task it was made in, and can tell its own cancellation from another's."""

    def __init__(self) -> None:
        self.task = asyncio.current_task()
        self.fired = False

    def fire(self) -> None:
        self.fired = True
        if self.task is not None:
            self.task.cancel()

    def caught(self, kind: type[BaseException] | None) -> bool:
        """Whether `kind` is the cancellation fired here; if so it counts as handled."""
        if not self.fired or kind is None or not issubclass(kind, asyncio.CancelledError):
            return False
        uncancel = getattr(self.task, "uncancel", None)  # from Python 3.11
        return uncancel is None or uncancel() == 0


class _Alarm:
    """Raises body_timeout where the block takes longer than `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._interrupt = _Interrupt()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._interrupt.fire)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._interrupt.caught(kind):
            raise RequestError(
                "body_timeout", "请求体传输超时。", "The body took too long to arrive."
            )


class Watch:
    """Gives up the block when the client leaves: raises ClientGoneError in it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._interrupt = _Interrupt()
        self._watcher: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(WATCH_AFTER_SECONDS, self._start)

    def _start(self) -> None:
        self._watcher = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._interrupt.fire()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._interrupt.caught(kind):
            raise ClientGoneError
