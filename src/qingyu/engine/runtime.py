"""ONNX Runtime, imported so that it sends nothing anywhere."""

from __future__ import annotations

import os
from typing import Any


def onnx_runtime() -> Any:
    """The module. Its telemetry, on by default since 1.32, is off unless the environment says
    otherwise; where the file system is read-only it would also write a warning."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime
