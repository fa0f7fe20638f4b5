"""The socket that a service listens on: made before anything else, shared by its processes."""

from __future__ import annotations

import socket

from qingyu.errors import SettingsError
from qingyu.settings import Settings

BACKLOG = 2048


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
