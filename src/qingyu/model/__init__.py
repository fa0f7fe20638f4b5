"""The Python API: load a bundle, ask it, or classify by labels of one's own."""

from qingyu.model.loaded import Model, load
from qingyu.model.zero_shot import ZeroShotClassifier

__all__ = ["Model", "ZeroShotClassifier", "load"]
