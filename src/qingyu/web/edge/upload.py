"""A body too large to hold, received into a file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import BinaryIO

from starlette.requests import ClientDisconnect, Request

from qingyu.service.errors import ClientGoneError

from .errors import RequestError, body_too_large

PIECE = 1 << 20


async def receive(request: Request, part: Path, limit: int, timeout: float) -> int:
    """Its bytes, on the disk when this returns; `timeout` is the longest pause between two pieces.

    Raises RequestError (body_too_large, body_timeout), ClientGoneError and OSError.
    """
    size = 0
    held = bytearray()
    pieces = request.stream().__aiter__()
    with part.open("xb") as file:
        while True:
            try:
                piece = await asyncio.wait_for(pieces.__anext__(), timeout)
            except StopAsyncIteration:
                break
            except asyncio.TimeoutError:
                raise RequestError(
                    "body_timeout", "请求体传输超时。", "The body took too long to arrive."
                ) from None
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


def _end(file: BinaryIO, rest: bytes) -> None:
    file.write(rest)
    file.flush()
    os.fsync(file.fileno())
