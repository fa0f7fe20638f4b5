"""Messages between a service and the process that works on a job's file: JSON, its length before
it. Nothing that could run is ever sent."""

from __future__ import annotations

import json
from typing import IO, Any

LENGTH_BYTES = 4
LARGEST = 64 << 20


def send(stream: IO[bytes], message: Any) -> None:
    """Raises OSError where nobody reads any more."""
    send_bytes(stream, json.dumps(message).encode())


def send_bytes(stream: IO[bytes], data: bytes) -> None:
    stream.write(len(data).to_bytes(LENGTH_BYTES, "big"))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """The next message, or None at the end. Raises ValueError for what is none."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    if length > LARGEST:
        raise ValueError(f"a message of {length} bytes")
    data = stream.read(length)
    return json.loads(data) if len(data) == length else None
