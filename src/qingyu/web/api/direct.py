"""What is asked most, by its address, past FastAPI: the tasks, health and metrics.

Their endpoints read and check their bodies themselves and have no parameters in their paths, so all
that a framework would do for them is to find them. It takes a third of what a request costs in
Python; and FastAPI itself, with all that it describes, takes 20 MB and a third of a second, which a
service that only answers tasks never spends.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import health
from .endpoints import endpoint_of, predict
from .tasks import ROWS


def _routes() -> dict[tuple[str, str], Route]:
    """By method and path."""
    tasks = [Route(f"/v1/{row.task.path}", endpoint_of(row), methods=["POST"]) for row in ROWS]
    plain = [
        Route("/health/live", health.live),
        Route("/health/ready", health.ready),
        Route("/metrics", health.metrics),
    ]
    posted = [*tasks, Route("/predict", predict)]
    return {("POST", one.path): one for one in posted} | {("GET", one.path): one for one in plain}


ROUTES = _routes()


def is_direct(scope: Scope) -> bool:
    """Whether a request is answered here."""
    return (scope["method"], scope["path"]) in ROUTES


class Direct:
    """An ASGI layer: what is asked of one of `ROUTES` goes to its endpoint, the rest to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_direct(scope):
            await self.app(scope, receive, send)
            return
        scope["route"] = route = ROUTES[scope["method"], scope["path"]]
        response = await route.endpoint(Request(scope, receive))
        await response(scope, receive, send)
