"""Refusing in an overload, before anything of a request but its headers is read.

To take a request to where admission refuses it costs half a millisecond of Python: at ten times the
load that would be more than all cores have, and nothing would be left to answer with. What is told
here takes a tenth of that. It stands for the gate, so it checks, counts and logs as the gate does.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from starlette.routing import Route

from qingyu.errors import OverloadedError, QingyuError
from qingyu.service.scheduler import Scheduler

from .context import RequestContext, new_id
from .errors import STATUS, error_body
from .logs import log_request
from .metrics import Metrics
from .origins import Origins
from .security import SECURITY_HEADERS, Keys

Headers: TypeAlias = "Sequence[tuple[bytes, bytes]]"
Refuse: TypeAlias = "Callable[[bytes, bytes, Headers], bytes | None]"

# A page reads a refusal only with the headers that its origin is told; 100-continue is answered
# before a body is sent.
NOT_PLAIN = frozenset((b"origin", b"expect", b"upgrade"))
STATUS_CODE = STATUS[OverloadedError.code]
HEAD = b"HTTP/1.1 %d Too Many Requests\r\ncontent-type: application/json\r\n%b" % (
    STATUS_CODE,
    b"".join(b"%b: %b\r\n" % header for header in SECURITY_HEADERS),
)
REST = b"retry-after: %d\r\nx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b"


class Refusals:
    """`routes` are those that compute, by their paths: what is asked of them by POST."""

    def __init__(
        self,
        scheduler: Scheduler,
        routes: Mapping[str, Route],
        *,
        keys: Keys,
        origins: Origins,
        metrics: Metrics,
    ) -> None:
        self._scheduler = scheduler
        self._coming = 0.0  # tokens
        self._routes = {path.encode(): route for path, route in routes.items()}
        self._keys = keys
        self._origins = origins
        self._metrics = metrics

    def __call__(self, method: bytes, url: bytes, headers: Headers) -> bytes | None:
        """A whole answer of HTTP/1.1, where the service is overloaded and has no room for a request
        with these headers; None for one that is to be looked at.

        An answer that is in the cache is refused with the rest: to find it the body must be read.
        """
        if not self._scheduler.admission.overloaded or method != b"POST":
            return None
        route = self._routes.get(url.partition(b"?")[0])
        named = dict(headers)
        if route is None or not NOT_PLAIN.isdisjoint(named):
            return None
        context = RequestContext(new_id(_text(named.get(b"x-request-id"))))
        scope = {"method": "POST", "path": route.path, "route": route}
        try:
            self._origins.check(scope, named)
            self._keys.check(scope, named, context)
        except QingyuError:  # told by the gate
            return None
        try:
            self._scheduler.check_room(self._coming)
        except OverloadedError as error:
            return self._told(error, scope, context)
        self._let_through(self._scheduler.admission.usual)
        return None

    def _let_through(self, tokens: float) -> None:
        """Of fifty that come in one turn of the event loop each would find the same room. A request
        asks for its own in the next turn, and then no longer counts here."""
        self._coming += tokens
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._has_asked, tokens)

    def _has_asked(self, tokens: float) -> None:
        self._coming -= tokens

    def _told(
        self, error: OverloadedError, scope: dict[str, object], context: RequestContext
    ) -> bytes:
        context.error = error.code
        self._metrics.count(scope, STATUS_CODE, context)
        log_request(scope, STATUS_CODE, context)
        told = error_body(error, context.request_id)
        body = json.dumps(told, ensure_ascii=False).encode()
        after = math.ceil(error.retry_after)
        return HEAD + REST % (after, context.request_id.encode(), len(body), body)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
