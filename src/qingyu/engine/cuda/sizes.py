"""What the parts of a model hold on a GPU, and which of them fit: from the sizes of its tensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qingyu.bundle import Manifest
from qingyu.engine.cuda.numbers import BYTES, Kind
from qingyu.errors import SettingsError
from qingyu.plan import EmbeddingsPlan, HeadPlan, LayerPlan, Product

BATCH_TOKENS = 2048  # of one batch on a GPU, where nobody waits
FULL: Kind = "fp32"  # what the CPU computes the rest with


@dataclass(frozen=True)
class PartSizes:
    """Bytes of weights at the precision of the GPU: embeddings, each shared layer, each head with
    the layers of its own; and what a batch of BATCH_TOKENS works in.
    """

    embeddings: int
    layers: tuple[int, ...]
    heads: dict[str, int]
    working: int

    def weights(self, layers: int) -> int:
        """Bytes of the weights on the GPU with so many layers there, and the heads with all."""
        whole = layers == len(self.layers)
        heads = sum(self.heads.values()) if whole else 0
        return self.embeddings + sum(self.layers[:layers]) + heads


@dataclass(frozen=True)
class Placement:
    """Which shared layers are on the GPU: the first `layers`, all where `whole`, and then the heads
    too. The rest is on the CPU.

    ends:    the layers after which the shared ones are parted, rising; the last is the encoder's
    weights: bytes of weights on the GPU
    spare:   bytes that each session on the GPU may use beside its weights; None without a limit
    """

    layers: int
    whole: bool
    ends: tuple[int, ...]
    weights: int
    spare: int | None


def measured(manifest: Manifest, kind: Kind) -> PartSizes:
    """PartSizes at the precision `kind`. Raises ValueError for a plan without layers."""
    plan = manifest.plan
    if plan is None or plan.embeddings is None or not plan.layers:
        raise ValueError("the plan holds no encoder")
    each = BYTES[kind]
    hidden = manifest.sizes.hidden_size
    heads = {
        name: each * _of_head(head.plan, hidden)
        for name, head in manifest.heads.items()
        if head.plan is not None
    }
    names = [layer.qkv.name for layer in plan.layers]  # ALBERT's layers are one
    widest = max(layer.inner.outputs for layer in plan.layers)
    return PartSizes(
        embeddings=each * _of_embeddings(plan.embeddings),
        layers=tuple(
            each * _of_layer(layer) if layer.qkv.name not in names[:index] else 0
            for index, layer in enumerate(plan.layers)
        ),
        heads=heads,
        # query, key and value as made and as laid out, what attention gives, rows before and after
        # a norm, and the wide rows before and after their function
        working=each * BATCH_TOKENS * (9 * hidden + 2 * widest),
    )


def needed(manifest: Manifest, sizes: PartSizes, layers: int) -> int:
    """The least bytes of a GPU that hold so many shared layers, and the heads with all of them."""
    return sizes.weights(layers) + _sessions(manifest, sizes, layers) * sizes.working


def cut(manifest: Manifest, sizes: PartSizes, limit: int | None) -> Placement:
    """The most layers that fit in `limit` bytes. Each session's arena is bounded for itself, so
    what the weights leave is shared evenly.

    Raises SettingsError where not even one layer fits.
    """
    end = len(sizes.layers)
    fitting = (n for n in range(end, 0, -1) if limit is None or needed(manifest, sizes, n) <= limit)
    layers = next(fitting, 0)
    if not layers:
        least = needed(manifest, sizes, 1)
        raise SettingsError(
            f"显存上限 {mega(limit or 0)} 连一层也放不下，至少要 {mega(least)}。",
            f"A limit of {mega(limit or 0)} on the GPU's memory holds not one layer; it takes "
            f"{mega(least)} at least.",
        )
    weights = sizes.weights(layers)
    ends = tuple(sorted({layers, end, *map(manifest.branch, manifest.heads)}))
    spare = None
    if limit is not None:
        spare = (limit - weights) // _sessions(manifest, sizes, layers)
    return Placement(layers, layers == end, ends, weights, spare)


def _sessions(manifest: Manifest, sizes: PartSizes, layers: int) -> int:
    """Sessions on the GPU: the shared layers are parted where heads branch off and at the cut."""
    end = len(sizes.layers)
    ends = {layers, *map(manifest.branch, manifest.heads)}
    return sum(one <= layers for one in ends) + (len(sizes.heads) if layers == end else 0)


def mega(count: int) -> str:
    return f"{count / 1e6:.0f} MB"


def _of_head(plan: HeadPlan, hidden: int) -> int:
    return (
        sum(map(_of_layer, plan.layers))
        + sum(_of_product(one) for one in (plan.transform, plan.output) if one is not None)
        + (0 if plan.norm is None else 2 * hidden)
    )


def _of_embeddings(plan: EmbeddingsPlan) -> int:
    tables = [plan.word.outputs * plan.word.inputs, plan.position.rows * plan.position.width]
    tables += [] if plan.type is None else [plan.type.rows * plan.type.width]
    projection = 0 if plan.projection is None else _of_product(plan.projection)
    return sum(tables) + 2 * plan.word.inputs + projection


def _of_layer(layer: LayerPlan) -> int:
    return _of_products(layer.products) + 4 * layer.outer.outputs


def _of_products(products: Iterable[Product]) -> int:
    return sum(map(_of_product, products))


def _of_product(product: Product) -> int:
    """Numbers of a matrix and its bias."""
    return product.outputs * product.inputs + (0 if product.bias is None else product.outputs)
