"""Where a model computes: on the CPU or on a GPU, and how much of the GPU's memory it may hold."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from qingyu.errors import SettingsError

DEVICE_VARIABLE = "QINGYU_DEVICE"
MEMORY_VARIABLE = "QINGYU_GPU_MEMORY"

Kind: TypeAlias = Literal["cpu", "cuda", "auto"]
KINDS: tuple[Kind, ...] = ("cpu", "cuda", "auto")
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)
POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True)
class Device:
    """`auto` is the GPU where there is one that can run the bundle, else the CPU.

    memory: bytes of the GPU that a model may hold; what does not fit is computed on the CPU. None
            for as much as there is
    """

    kind: Kind = "cpu"
    memory: int | None = None


def chosen(kind: str | None = None, memory: str | int | None = None) -> Device:
    """What is given, else QINGYU_DEVICE and QINGYU_GPU_MEMORY, else the CPU.

    Raises SettingsError where a value is wrong.
    """
    wanted = kind or os.environ.get(DEVICE_VARIABLE, "") or "cpu"
    found = next((known for known in KINDS if known == wanted), None)
    if found is None:
        raise SettingsError(
            f"{DEVICE_VARIABLE}（--device）应为 {'、'.join(KINDS)} 之一，收到 {wanted!r}。",
            f"{DEVICE_VARIABLE} (--device) should be one of {', '.join(KINDS)}, not {wanted!r}.",
        )
    limit = memory if memory is not None else os.environ.get(MEMORY_VARIABLE) or None
    return Device(found, bytes_of(limit) if isinstance(limit, str) else limit)


def bytes_of(text: str) -> int:
    """`1GB` is 1e9 and `1GiB` 2 ** 30. Raises SettingsError where it is no size."""
    match = SIZE.fullmatch(text.strip())
    count = 0
    if match is not None:
        number, unit, binary = match.groups()
        count = int(float(number) * (1024 if binary else 1000) ** POWERS[unit.upper()])
    if count < 1:
        raise SettingsError(
            f"{MEMORY_VARIABLE}（--gpu-memory）应写作 1GB 或 512MiB，收到 {text!r}。",
            f"{MEMORY_VARIABLE} (--gpu-memory) takes 1GB or 512MiB, not {text!r}.",
        )
    return count
