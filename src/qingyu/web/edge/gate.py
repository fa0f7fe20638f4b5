"""Outermost middleware: gives each request an id, authenticates, counts and logs it."""

from __future__ import annotations

import asyncio
import logging

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qingyu.errors import QingyuError
from qingyu.service.errors import StoppingError

from .context import KEY, RequestContext, new_id
from .errors import error_response, internal
from .logs import log_request
from .metrics import Metrics
from .origins import Origins
from .security import SECURITY_HEADERS, Keys

log = logging.getLogger("qingyu.web")


class Gate:
    """An ASGI layer; what raises inside becomes one JSON error here."""

    def __init__(self, app: ASGIApp, keys: Keys, origins: Origins, metrics: Metrics) -> None:
        self.app = app
        self.keys = keys
        self.origins = origins
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if b"," in headers.get(b"range", b""):  # of a file thousands of pieces could be asked for
            scope["headers"] = [one for one in scope["headers"] if one[0] != b"range"]
        context = RequestContext(new_id(_text(headers.get(b"x-request-id"))))
        scope[KEY] = context
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = MutableHeaders(raw=message["headers"])
                added["x-request-id"] = context.request_id
                message["headers"].extend(SECURITY_HEADERS)
            await send(message)

        async def refuse(error: QingyuError) -> None:
            context.error = error.code
            if not status:
                await error_response(error, scope, context.request_id)(scope, receive, answer)

        self.metrics.in_flight += 1
        try:
            self.origins.check(scope, headers)
            self.keys.check(scope, headers, context)
            await self.app(scope, receive, answer)
        except QingyuError as error:
            await refuse(error)
        except asyncio.CancelledError:  # the service ends and this request did not in time
            await refuse(StoppingError())
        except Exception:
            log.exception("request %s failed unexpectedly", context.request_id)
            await refuse(internal())
        finally:
            self.metrics.in_flight -= 1
            self.keys.settle(context, answered=status == 200)
            for held in context.holds:
                held.release()
            self.metrics.count(scope, status, context)
            log_request(scope, status, context)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
