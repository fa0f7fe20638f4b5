"""The first GPU, as NVIDIA's driver tells of it (the CUDA driver API, through ctypes)."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
BFLOAT16_SINCE = 8  # Ampere


@dataclass(frozen=True)
class Gpu:
    """`memory` is all it has, in bytes."""

    name: str
    memory: int
    capability: tuple[int, int]

    @property
    def has_bfloat16(self) -> bool:
        return self.capability[0] >= BFLOAT16_SINCE


def first_gpu() -> Gpu | None:
    """The GPU that CUDA numbers 0, which CUDA_VISIBLE_DEVICES can choose; None without one, or
    without a driver."""
    try:
        return _read(ctypes.CDLL(LIBRARY))
    except OSError:
        return None


def _read(library: Any) -> Gpu | None:
    count, device, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    if library.cuInit(0) or library.cuDeviceGetCount(ctypes.byref(count)) or count.value < 1:
        return None
    name = ctypes.create_string_buffer(256)
    failed = library.cuDeviceGet(ctypes.byref(device), 0)
    failed = failed or library.cuDeviceGetName(name, len(name), device)
    failed = failed or library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    capability = [ctypes.c_int(), ctypes.c_int()]
    for value, attribute in zip(capability, (MAJOR, MINOR), strict=True):
        failed = failed or library.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
    if failed:
        return None
    major, minor = (value.value for value in capability)
    return Gpu(name.value.decode(errors="replace"), memory.value, (major, minor))
