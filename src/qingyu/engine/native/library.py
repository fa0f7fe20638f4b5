"""The compiled kernels: found beside this file, loaded once, checked to be of this version."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path

from qingyu.engine.native import structures

ABI = 3
FOLDER = Path(__file__).parent
NAMES = {"win32": "qingyu_native.dll", "darwin": "libqingyu_native.dylib"}
PATH = FOLDER / NAMES.get(sys.platform, "libqingyu_native.so")
OK, NO_MEMORY = 0, 1


@cache
def library() -> ctypes.CDLL:
    """The library. Raises OSError where it is missing or made for another system or version."""
    loaded = ctypes.CDLL(str(PATH))
    try:
        loaded.qy_instruction_set.restype = ctypes.c_char_p
        sizes = [loaded.qy_size(index) for index in range(len(structures.ALL))]
        same = loaded.qy_abi() == ABI and sizes == list(map(ctypes.sizeof, structures.ALL))
    except AttributeError:  # a function is missing
        same = False
    if not same:
        raise OSError(f"{PATH} is not of this version")
    return loaded


def instruction_sets() -> tuple[str, ...]:
    """Those that were compiled and that this CPU has, best first. Raises OSError."""
    found: list[str] = []
    while name := library().qy_instruction_set(len(found)):
        found.append(name.decode())
    return tuple(found)


def check(status: int) -> None:
    """Raises MemoryError, or ValueError where the kernels refuse their arguments."""
    if status == NO_MEMORY:
        raise MemoryError("no memory for a batch")
    if status != OK:
        raise ValueError("a token, position or row of the batch is out of range")
