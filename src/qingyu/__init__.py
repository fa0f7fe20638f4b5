"""Qingyu 轻语: Chinese language understanding on the computers people already have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["Model", "QingyuError", "ZeroShotClassifier", "__version__", "load"]

if TYPE_CHECKING:
    from qingyu.errors import QingyuError
    from qingyu.model import Model, ZeroShotClassifier, load


def __getattr__(name: str) -> Any:
    """Import what is named when it is named, so that `import qingyu` costs nothing."""
    if name == "QingyuError":
        from qingyu.errors import QingyuError

        return QingyuError
    if name in ("Model", "ZeroShotClassifier", "load"):
        from qingyu import model

        return getattr(model, name)
    raise AttributeError(f"module 'qingyu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
