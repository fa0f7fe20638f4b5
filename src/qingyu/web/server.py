"""The process around the application: its socket, its signals, its end."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI

from qingyu.engine import heap
from qingyu.errors import SettingsError
from qingyu.settings import Settings

from .app import create_app
from .logs import set_up_logging
from .protocol import patient_protocol
from .state import State

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75  # longer than the usual proxy's, so that it is the proxy that closes


def serve(settings: Settings) -> None:
    """Serve until told to stop. Raises SettingsError where the address cannot be used, and what
    loading the default model raises."""
    listener = listen(settings)
    with suppress(OSError):  # nobody reads it, or the disk it goes to is full
        print(_greeting(address_of(listener)), file=sys.stderr, flush=True)
    if settings.workers == 1:
        run(settings, listener)
        return

    from .processes import Processes

    Processes(settings, listener).run()


def run(settings: Settings, listener: socket.socket) -> None:
    """One process's whole life on a socket that listens already."""
    set_up_logging(settings.log_format, settings.log_level)
    heap.share()
    server = Server(create_app(settings), settings)
    server.run([listener])
    if server.state.failure is not None:
        raise server.state.failure


class Server(uvicorn.Server):
    """At the first signal not ready any more; after `drain_notice` seconds no new connections, and
    what is under way has `drain` seconds to finish. A second signal ends it at once."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        config = uvicorn.Config(
            app,
            http=patient_protocol(settings.body_timeout, settings.max_connections),
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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.should_exit = self.should_exit or self.state.failure is not None

    async def on_tick(self, counter: int) -> bool:
        if self._told_at is not None and time.monotonic() - self._told_at >= self._notice:
            self.should_exit = True
        return await super().on_tick(counter)


def listen(settings: Settings) -> socket.socket:
    """Raises SettingsError where the address cannot be had."""
    listener = None
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, number)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise SettingsError(
            f"无法监听 {settings.host}:{settings.port}：{error}。可用 --port 换一个端口。",
            f"Cannot listen on {settings.host}:{settings.port}: {error}. Try another --port.",
        ) from error
    listener.set_inheritable(True)
    return listener


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _greeting(address: str) -> str:
    return (
        f"轻语正在启动：网页 {address}/  接口文档 {address}/docs\n"
        f"Qingyu is starting: page {address}/  API {address}/docs"
    )
