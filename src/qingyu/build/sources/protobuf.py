"""Protobuf messages read field by field, without a schema and without a library.

Encoding: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of a protobuf message; raises IndexError where it is cut short."""
    place = 0
    while place < len(data):
        tag, place = varint(data, place)
        kind = tag & 7
        if kind == 0:
            value, place = varint(data, place)
            yield tag >> 3, value
        elif kind == 2:
            length, place = varint(data, place)
            if place + length > len(data):
                raise IndexError("it is cut short")
            yield tag >> 3, data[place : place + length]
            place += length
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            yield tag >> 3, struct.unpack_from("<d" if kind == 1 else "<f", data, place)[0]
            place += size
        else:
            raise ValueError("it is no protobuf")


def varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number without an end")
