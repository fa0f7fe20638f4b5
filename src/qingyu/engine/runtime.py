"""ONNX Runtime, imported so that it sends nothing anywhere."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from qingyu.errors import BundleError

PACKAGE = "onnxruntime"
MISSING = (
    "没有安装 ONNX Runtime，请运行：pip install onnxruntime",
    "ONNX Runtime is not installed; run: pip install onnxruntime",
)


def is_installed() -> bool:
    """Whether the module can be imported; it is not."""
    return importlib.util.find_spec(PACKAGE) is not None


def onnx_runtime() -> Any:
    """The module. Its telemetry, on by default since 1.32, is off unless the environment says
    otherwise; where the file system is read-only it would also write a warning.

    Raises BundleError where it is not installed.
    """
    if not is_installed():
        raise BundleError(f"{MISSING[0]}。", f"{MISSING[1]}.")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime
