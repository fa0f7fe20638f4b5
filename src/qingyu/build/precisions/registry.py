"""The precisions a bundle can be built at, by name."""

from __future__ import annotations

from qingyu.build.precisions.base import Precision
from qingyu.build.precisions.fp16 import Half
from qingyu.build.precisions.fp32 import Float32
from qingyu.build.precisions.int4 import Int4
from qingyu.build.precisions.int8 import Int8
from qingyu.build.precisions.quantise import INT7_LIMIT

PRECISIONS: dict[str, Precision] = {
    precision.name: precision
    for precision in (
        Float32(),
        Half("fp16"),
        Half("bf16"),
        Int8(),
        Int8(name="int7", limit=INT7_LIMIT),
        Int4(),
    )
}


def of_heads(precision: Precision) -> Precision:
    """What heads and the layer before them are written at: INT4 would cost more than it saves."""
    return precision.tables if isinstance(precision, Int4) else precision
