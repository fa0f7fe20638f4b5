"""Receives a large request body into a file."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import BinaryIO

from starlette.requests import ClientDisconnect, Request

from qingyu.service.errors import ClientGoneError

from .errors import RequestError, body_too_large

PIECE = 1 << 20
SLOWEST = 10_000  # bytes a second, on the whole
GRACE_SECONDS = 60.0


async def receive(request: Request, part: Path, limit: int, timeout: float) -> int:
    """Its bytes, on the disk when this returns; `timeout` is the longest pause between two pieces,
    and on the whole they may not trickle.

    Raises RequestError (body_too_large, body_timeout), ClientGoneError and OSError.
    """
    size = 0
    began = time.monotonic()
    held = bytearray()
    pieces = request.stream().__aiter__()
    with part.open("xb") as file:
        while True:
            passed = time.monotonic() - began
            if passed > GRACE_SECONDS and size < passed * SLOWEST:
                raise _too_slow()
            try:
                piece = await asyncio.wait_for(pieces.__anext__(), timeout)
            except StopAsyncIteration:
                break
            except asyncio.TimeoutError:
                raise _too_slow() from None
            except ClientDisconnect:
                raise ClientGoneError from None
            size += len(piece)
            if size > limit:
                raise body_too_large(limit)
            held += piece
            if len(held) >= PIECE:
                await asyncio.to_thread(file.write, bytes(held))
                held.clear()
        await asyncio.to_thread(_end, file, bytes(held))
    return size


def _too_slow() -> RequestError:
    return RequestError("body_timeout", "请求体传输超时。", "The body took too long to arrive.")


def _end(file: BinaryIO, rest: bytes) -> None:
    file.write(rest)
    file.flush()
    os.fsync(file.fileno())
