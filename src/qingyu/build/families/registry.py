"""One file a model family; this one knows which `model_type` each reads."""

from __future__ import annotations

from qingyu.build.families.albert import Albert
from qingyu.build.families.bert import Bert
from qingyu.build.families.distilbert import DistilBert
from qingyu.build.families.electra import Electra
from qingyu.build.families.encoder import Encoder
from qingyu.build.families.ernie import Ernie
from qingyu.build.families.mobilebert import MobileBert
from qingyu.build.families.roberta import Roberta
from qingyu.build.families.t5 import T5
from qingyu.build.sources.config import Config
from qingyu.build.sources.weights import Weights
from qingyu.errors import CheckpointError

FAMILIES: dict[str, type[Encoder] | type[T5]] = {
    "albert": Albert,
    "bert": Bert,
    "distilbert": DistilBert,
    "electra": Electra,
    "ernie": Ernie,
    "mobilebert": MobileBert,
    "mt5": T5,
    "roberta": Roberta,
    "t5": T5,
    "xlm-roberta": Roberta,
}


def family(config: Config, weights: Weights) -> Encoder | T5:
    """The family that `config.json` names, ready to write. Raises CheckpointError."""
    if config.model_type not in FAMILIES:
        raise CheckpointError(
            f"{config.path}：不支持 model_type {config.model_type}；支持：{'、'.join(FAMILIES)}。",
            f"{config.path}: model_type {config.model_type} is not supported; supported: "
            f"{', '.join(FAMILIES)}.",
        )
    return FAMILIES[config.model_type](config, weights)
