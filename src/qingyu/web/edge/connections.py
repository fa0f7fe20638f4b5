"""HTTP/1.1 with limits on connections: timeouts for clients that do not finish sending or do not
read their answer, a largest size of headers, a largest number of clients, and what is refused in an
overload."""

from __future__ import annotations

import asyncio
from typing import Any

from .refusals import Refuse

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as BaseProtocol
except ImportError:  # no httptools on this platform
    from uvicorn.protocols.http.h11_impl import H11Protocol as BaseProtocol  # type: ignore[assignment]

BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b"
)
BUSY_BODY = (
    '{"error":{"code":"too_many_connections","message":"连接数已满，请稍后重试。",'
    '"message_en":"There are too many connections; try again later.","request_id":""}}'
).encode()


TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b"
)
TOO_LARGE_BODY = (
    '{"error":{"code":"headers_too_large","message":"请求头过长。",'
    '"message_en":"The headers are too long.","request_id":""}}'
).encode()

HEADER_BYTES = 64 << 10
MAX_PIPELINED = 32  # requests that wait on one connection: each takes a hundred times its bytes
# httptools calls these as it parses; h11 parses in pieces and bounds its headers by itself.
TOLD_OF_HEADERS = hasattr(BaseProtocol, "on_headers_complete")


def patient_protocol(
    header_timeout: float, write_timeout: float, max_connections: int, refuse: Refuse
) -> type[asyncio.Protocol]:
    """uvicorn's protocol with the limits it lacks.

    header_timeout:  seconds from the first byte (or the connection) to the end of the headers
    write_timeout:   seconds for which a client may take nothing of what waits to be sent to it
    max_connections: beyond which a connection is told 503 and closed
    refuse:          what a request is told by its headers alone, its body thrown away as it comes
    """

    class PatientProtocol(BaseProtocol):
        _timer: asyncio.TimerHandle | None = None
        _writing: asyncio.TimerHandle | None = None
        _in_headers = True
        _header_bytes = 0
        _refusal: bytes | None = None  # of the request that comes in
        _refused = False  # all of it has come

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._pieces: list[bytes] = []
            # Whatever waits to be sent is waited for: were it only what goes beyond a mark, less
            # than that would keep a connection for ever.
            transport.set_write_buffer_limits(high=0)
            if len(self.connections) > max_connections:
                transport.write(BUSY % (len(BUSY_BODY), BUSY_BODY))
                transport.close()
                return
            self._arm()

        def data_received(self, data: bytes) -> None:
            if self._in_headers and TOLD_OF_HEADERS:
                self._header_bytes += len(data)
            super().data_received(data)
            self._hand_on()
            if self._in_headers and self._header_bytes > HEADER_BYTES:
                self._refuse_headers()
            if self._refused and self._refusal is None:
                self._refused = False
                self._disarm()
            elif self._idle:
                self._arm()
            else:
                self._disarm()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            self._written()
            super().connection_lost(exc)

        # -- headers ------------------------------------------------------------------------------

        def on_message_begin(self) -> None:
            if len(self.pipeline) >= MAX_PIPELINED:
                raise ValueError("too many requests at once")  # ends in send_400_response
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._in_headers = False
            self._header_bytes = sum(len(name) + len(value) + 4 for name, value in self.headers)
            if self._header_bytes + len(self.url) > HEADER_BYTES:
                raise ValueError("headers too large")  # answered in send_400_response
            if self._idle and not self.flow.write_paused:
                self._refusal = refuse(self.parser.get_method(), self.url, self.headers)
            if self._refusal is None:
                super().on_headers_complete()

        @property
        def _idle(self) -> bool:
            return self.cycle is None or bool(self.cycle.response_complete)

        def _tell(self, refusal: bytes) -> None:
            closing = not self.parser.should_keep_alive()
            self._refusal, self._refused = None, True
            status, _, rest = refusal.partition(b"\r\n")
            dated = [b"%b: %b" % header for header in self.server_state.default_headers]
            self.transport.write(b"\r\n".join((status, *dated, rest)))
            if closing:
                self.transport.close()
            self.on_response_complete()

        def send_400_response(self, msg: str) -> None:
            if self._header_bytes > HEADER_BYTES:
                self._refuse_headers()
            else:
                super().send_400_response(msg)

        def _refuse_headers(self) -> None:
            if not self.transport.is_closing():
                self.transport.write(TOO_LARGE % (len(TOO_LARGE_BODY), TOO_LARGE_BODY))
                self.transport.close()

        # -- bodies: the chunks that came together are handed on together -------------------------

        def on_body(self, body: bytes) -> None:
            if self._refusal is None:
                self._pieces.append(body)

        def on_message_complete(self) -> None:
            self._in_headers, self._header_bytes = True, 0
            if self._refusal is not None:
                self._tell(self._refusal)
                return
            self._hand_on()
            super().on_message_complete()

        def _hand_on(self) -> None:
            if self._pieces:
                body = b"".join(self._pieces)
                self._pieces.clear()
                super().on_body(body)

        # -- patience -----------------------------------------------------------------------------

        def pause_writing(self) -> None:
            super().pause_writing()
            if self._writing is None:
                self._writing = self.loop.call_later(write_timeout, self._not_read)

        def resume_writing(self) -> None:
            self._written()
            super().resume_writing()

        def _not_read(self) -> None:
            self._writing = None
            self.transport.abort()  # to close would be to wait for the client once more

        def _written(self) -> None:
            if self._writing is not None:
                self._writing.cancel()
                self._writing = None

        def _arm(self) -> None:
            if self._timer is None:
                self._timer = self.loop.call_later(header_timeout, self._give_up)

        def _disarm(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _give_up(self) -> None:
            self._timer = None
            if not self.transport.is_closing():
                self.transport.close()

    return PatientProtocol
