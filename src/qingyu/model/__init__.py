"""The Python API: load a bundle, ask it, or classify by labels of one's own."""

from qingyu.model.loaded import Model, load
from qingyu.model.pipelines import Pipeline, pipeline
from qingyu.model.zero_shot import ZeroShotClassifier

__all__ = ["Model", "Pipeline", "ZeroShotClassifier", "load", "pipeline"]
