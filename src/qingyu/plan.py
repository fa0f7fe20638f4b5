"""What an engine must know beside the weights: `plan` of a bundle's manifest.

`docs/bundle-format.md` defines each field and the arithmetic behind it. Names are those of tensors
in the bundle's safetensors files, without `.weight` and the like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

Architecture: TypeAlias = Literal["post-norm", "mobilebert", "t5", "as-is"]
Function: TypeAlias = Literal["gelu", "gelu_tanh", "relu", "tanh"]
WeightKind: TypeAlias = Literal["fp32", "fp16", "bf16", "int8", "int4"]
InputKind: TypeAlias = Literal["float", "fixed", "row", "floor", "block"]

GELU_FLOOR = -0.17  # x * Phi(x) is least, -0.16997, at x = -0.7518
SMALLEST_MAGNITUDE = 1e-6  # a row of zeros must not divide by zero


@dataclass(frozen=True)
class Product:
    """y = x W^T + b, W [outputs, inputs]; `bias` is the whole name of a tensor, or None."""

    name: str
    outputs: int
    inputs: int
    weight: WeightKind
    input: InputKind
    bias: str | None


@dataclass(frozen=True)
class Table:
    """Rows that are only looked up, [rows, width]."""

    name: str
    rows: int
    width: int
    weight: WeightKind


@dataclass(frozen=True)
class LayerPlan:
    """One post-norm layer: products and the names of its two norms."""

    qkv: Product
    attended: Product
    attended_norm: str
    inner: Product
    outer: Product
    outer_norm: str

    @property
    def products(self) -> tuple[Product, ...]:
        return self.qkv, self.attended, self.inner, self.outer


@dataclass(frozen=True)
class EmbeddingsPlan:
    """Three tables summed and normalised, then widened where `projection` says so."""

    word: Product
    position: Table
    type: Table | None
    norm: str
    projection: Product | None


@dataclass(frozen=True)
class Plan:
    """An encoder; without `embeddings` only its graphs know how it is computed."""

    architecture: Architecture
    activation: Function | None = None
    epsilon: float = 0.0
    embeddings: EmbeddingsPlan | None = None
    layers: tuple[LayerPlan, ...] = ()

    def products(self) -> Iterator[Product]:
        """Every product, in the order of computing."""
        if self.embeddings is not None:
            yield self.embeddings.word
            if self.embeddings.projection is not None:
                yield self.embeddings.projection
        for layer in self.layers:
            yield from layer.products


@dataclass(frozen=True)
class HeadPlan:
    """output(norm(activation(transform(x)), norm)) after `layers`; what is None is left out."""

    layers: tuple[LayerPlan, ...] = ()
    transform: Product | None = None
    activation: Function | None = None
    norm: str | None = None
    output: Product | None = None

    def products(self) -> Iterator[Product]:
        """Every product, in the order of computing."""
        for layer in self.layers:
            yield from layer.products
        yield from (part for part in (self.transform, self.output) if part is not None)


def read_plan(values: Mapping[str, Any]) -> Plan:
    """Raises KeyError, TypeError or ValueError where `values` are no plan."""
    embeddings = values["embeddings"]
    return Plan(
        architecture=_one_of(Architecture, values["architecture"]),
        activation=values["activation"] and _one_of(Function, values["activation"]),
        epsilon=float(values["epsilon"]),
        embeddings=None if embeddings is None else _embeddings(embeddings),
        layers=tuple(map(_layer, values["layers"])),
    )


def read_head_plan(values: Mapping[str, Any]) -> HeadPlan:
    """Raises KeyError, TypeError or ValueError where `values` are no head's plan."""
    return HeadPlan(
        layers=tuple(map(_layer, values["layers"])),
        transform=_maybe_product(values["transform"]),
        activation=values["activation"] and _one_of(Function, values["activation"]),
        norm=values["norm"] and str(values["norm"]),
        output=_maybe_product(values["output"]),
    )


def _embeddings(values: Mapping[str, Any]) -> EmbeddingsPlan:
    return EmbeddingsPlan(
        word=_product(values["word"]),
        position=_table(values["position"]),
        type=None if values["type"] is None else _table(values["type"]),
        norm=str(values["norm"]),
        projection=_maybe_product(values["projection"]),
    )


def _layer(values: Mapping[str, Any]) -> LayerPlan:
    return LayerPlan(
        qkv=_product(values["qkv"]),
        attended=_product(values["attended"]),
        attended_norm=str(values["attended_norm"]),
        inner=_product(values["inner"]),
        outer=_product(values["outer"]),
        outer_norm=str(values["outer_norm"]),
    )


def _maybe_product(values: Mapping[str, Any] | None) -> Product | None:
    return None if values is None else _product(values)


def _product(values: Mapping[str, Any]) -> Product:
    return Product(
        name=str(values["name"]),
        outputs=int(values["outputs"]),
        inputs=int(values["inputs"]),
        weight=_one_of(WeightKind, values["weight"]),
        input=_one_of(InputKind, values["input"]),
        bias=values["bias"] and str(values["bias"]),
    )


def _table(values: Mapping[str, Any]) -> Table:
    return Table(
        name=str(values["name"]),
        rows=int(values["rows"]),
        width=int(values["width"]),
        weight=_one_of(WeightKind, values["weight"]),
    )


def _one_of(kinds: Any, value: Any) -> Any:
    if value not in get_args(kinds):
        raise ValueError(f"{value!r} is none of {', '.join(get_args(kinds))}")
    return value
