"""Qingyu 轻语: Chinese language understanding on the computers people already have."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = [
    "AsyncClient",
    "Client",
    "Model",
    "QingyuError",
    "ZeroShotClassifier",
    "__version__",
    "load",
    "pipeline",
    "to_frame",
]

# Where each name lives: imported when it is named, so that `import qingyu` costs nothing.
_HOMES = {
    "QingyuError": "qingyu.errors",
    "AsyncClient": "qingyu.client",
    "Client": "qingyu.client",
    "to_frame": "qingyu.results",
    "Model": "qingyu.model",
    "ZeroShotClassifier": "qingyu.model",
    "load": "qingyu.model",
    "pipeline": "qingyu.model",
}

if TYPE_CHECKING:
    from qingyu.client import AsyncClient, Client
    from qingyu.errors import QingyuError
    from qingyu.model import Model, ZeroShotClassifier, load, pipeline
    from qingyu.results import to_frame


def __getattr__(name: str) -> Any:
    """What is named, from its home."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'qingyu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
