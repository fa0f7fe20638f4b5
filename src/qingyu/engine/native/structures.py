"""The structures of `kernels/engine.h`, field by field; C before a name as qy_ is there."""

from __future__ import annotations

import ctypes as c
from typing import Any

from qingyu.plan import Function, InputKind, WeightKind

WEIGHTS: dict[WeightKind, int] = {"fp32": 0, "int8": 1, "int4": 2}
INPUTS: dict[InputKind, int] = {"float": 0, "fixed": 1, "row": 2, "floor": 3, "block": 4}
ACTIVATIONS: dict[Function | None, int] = {
    None: 0,
    "gelu": 1,
    "gelu_tanh": 2,
    "relu": 3,
    "tanh": 4,
}


def _integers(*names: str) -> list[tuple[str, Any]]:
    return [(name, c.c_int32) for name in names]


def _pointers(*names: str) -> list[tuple[str, Any]]:
    return [(name, c.c_void_p) for name in names]


class CProduct(c.Structure):
    _fields_ = (
        *_pointers("weight", "weight_scale", "weight_sum", "bias", "input_scale"),
        *_integers("outputs", "inputs", "weight_kind", "input_kind"),
        *_pointers("block_scale", "block_zero"),
    )


class CNorm(c.Structure):
    _fields_ = (*_pointers("weight", "bias"),)


class CTable(c.Structure):
    _fields_ = (*_pointers("weight", "scale"), *_integers("rows", "width", "kind", "packed"))


class CLayer(c.Structure):
    _fields_ = (
        ("qkv", CProduct),
        ("attended", CProduct),
        ("inner", CProduct),
        ("outer", CProduct),
        ("attended_norm", CNorm),
        ("outer_norm", CNorm),
    )


class CHead(c.Structure):
    _fields_ = (
        ("layers", c.POINTER(CLayer)),
        *_integers("layer_count", "branch"),
        ("transform", CProduct),
        ("output", CProduct),
        ("norm", CNorm),
        *_integers("activation", "reserved"),
    )


class CModel(c.Structure):
    _fields_ = (
        ("word", CTable),
        ("position", CTable),
        ("type", CTable),
        ("embedding_norm", CNorm),
        ("projection", CProduct),
        ("layers", c.POINTER(CLayer)),
        ("heads", c.POINTER(CHead)),
        *_integers("layer_count", "head_count", "hidden", "attention_heads", "head_width"),
        *_integers("feed_forward", "activation"),
        ("epsilon", c.c_float),
    )


class CBatch(c.Structure):
    _fields_ = (
        *_pointers("ids", "types", "rows", "lengths", "counts"),
        *_pointers("group_heads", "group_sizes", "outputs"),
        *_integers("sequences", "groups"),
    )


ALL = (CProduct, CNorm, CTable, CLayer, CHead, CModel, CBatch)  # in the order of qy_size
