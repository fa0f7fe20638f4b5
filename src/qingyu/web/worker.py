"""One process of the service: the application on a socket, its signals, its end."""

from __future__ import annotations

import logging
import socket
import sys
import time
from types import FrameType

import uvicorn

from qingyu.engine import heap
from qingyu.settings import Settings
from qingyu.web.edge.connections import patient_protocol
from qingyu.web.edge.logs import set_up_logging

from .app import Application, create_app, refusals
from .sockets import BACKLOG
from .state import State

# A worker that comes back from computing waits so long for an event loop that never rests: at
# Python's own 5 ms, ten times a batch, the lanes stood idle in an overload.
SWITCH_SECONDS = 0.0005
KEEP_ALIVE_SECONDS = 75  # longer than the usual proxy's, so that it is the proxy that closes


def run(settings: Settings, listener: socket.socket) -> None:
    """One process's whole life on a socket that listens already."""
    set_up_logging(settings.log_format, settings.log_level, texts=settings.log_text)
    heap.share()
    sys.setswitchinterval(SWITCH_SECONDS)
    server = Server(create_app(settings), settings)
    server.run([listener])
    if server.state.failure is not None:
        raise server.state.failure


class Server(uvicorn.Server):
    """At the first signal not ready any more; after `drain_notice` seconds no new connections, and
    what is under way has `drain` seconds to finish. A second signal ends it at once."""

    def __init__(self, app: Application, settings: Settings) -> None:
        config = uvicorn.Config(
            app,
            http=patient_protocol(
                settings.body_timeout,
                settings.write_timeout,
                settings.max_connections,
                refusals(app.state.qingyu),
            ),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(settings.drain)),
        )
        super().__init__(config)
        self.state: State = app.state.qingyu
        self._notice = settings.drain_notice
        self._told_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._told_at is not None:
            self.should_exit = self.force_exit = True
            return
        self._told_at = time.monotonic()
        self.state.draining = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:
            # The lifespan will be cancelled with the loop: that is what a second signal asks for,
            # and no failure to be logged with a traceback.
            self.lifespan.logger = logging.Logger("cancelled", logging.CRITICAL + 1)
            self.lifespan.shutdown_failed = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.should_exit = self.should_exit or self.state.failure is not None

    async def on_tick(self, counter: int) -> bool:
        if self._told_at is not None and time.monotonic() - self._told_at >= self._notice:
            self.should_exit = True
        return await super().on_tick(counter)
