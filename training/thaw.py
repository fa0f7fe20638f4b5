"""A bundle back to a checkpoint directory, so that whoever has the package can go on training what
is in it.

    python -m training.thaw qingyu-small-zh --out checkpoint

Looks up the tensors that the plan of a BERT bundle at fp32 or int8 names, and undoes what `qingyu
build` did to each matrix: one scale an output channel, the fixed steps of its inputs. What
rounding took is gone. In its place weights are spread evenly over what would have rounded to them:
left on the grid, the next build would round small changes, all that a short training makes, back to
nothing. Heads with layers of their own are left out: the shared layers never learnt from them;
`own_layers` reads those.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from qingyu.build.heads import LEVELS
from qingyu.build.precisions.quantise import INT8_LIMIT
from qingyu.bundle import WEIGHTS, HeadInfo, Manifest, find, read_manifest
from qingyu.errors import QingyuError
from qingyu.plan import EmbeddingsPlan, HeadPlan, LayerPlan, Plan, Product, Table
from qingyu.tensors import TensorFile, unpack_int8
from training import export
from training.errors import RecipeError, run
from training.model import Config, HeadSpec, Model

Array = NDArray[np.float32]
QKV = ("query", "key", "value")
LEVEL_OF_KIND = {kind: level for level, kind in LEVELS.items()}


class Tensors:
    """The tensors of a bundle's files by name, as FP32 numbers."""

    def __init__(self, *files: Path) -> None:
        self._files = [TensorFile(file) for file in files]

    def named(self, name: str) -> Array:
        """One tensor. Raises KeyError where there is none."""
        file = next((file for file in self._files if name in file), self._files[0])
        return np.array(file.array(name))

    def matrix(self, product: Product) -> Array:
        """A matrix [outputs, inputs] without scales and steps."""
        stored = self.named(f"{product.name}.weight")
        if product.weight == "fp32":
            return stored
        steps = unpack_int8(stored.astype(np.int8), product.outputs, product.inputs)
        matrix = spread(product.name, steps) * self.named(f"{product.name}.weight_scale")[:, None]
        if product.input == "fixed":
            matrix = matrix / self.named(f"{product.name}.input_scale")
        return np.asarray(matrix, np.float32)

    def table(self, table: Table) -> Array:
        """A table that is only looked up, [rows, width]."""
        stored = self.named(f"{table.name}.weight")
        if table.weight == "fp32":
            return stored
        return spread(table.name, stored) * self.named(f"{table.name}.weight_scale")[:, None]

    def product(self, product: Product) -> Iterator[tuple[str, Array]]:
        """A matrix and its bias under the names of a checkpoint; a stack's parts each under its
        own.
        """
        stem, _, last = product.name.rpartition(".")
        names = [f"{stem}.{part}" for part in QKV] if last == "qkv" else [product.name]
        yield from zip(
            (f"{name}.weight" for name in names),
            np.split(self.matrix(product), len(names)),
            strict=True,
        )
        if product.bias is not None:
            biases = np.split(self.named(product.bias), len(names))
            yield from zip((f"{name}.bias" for name in names), biases, strict=True)

    def norm(self, name: str) -> Iterator[tuple[str, Array]]:
        for part in ("weight", "bias"):
            yield f"{name}.{part}", self.named(f"{name}.{part}")

    def embeddings(self, plan: EmbeddingsPlan) -> Iterator[tuple[str, Array]]:
        yield from self.product(plan.word)
        for table in (plan.position, plan.type):
            if table is not None:
                yield f"{table.name}.weight", self.table(table)
        yield from self.norm(plan.norm)

    def layers(self, layers: Sequence[LayerPlan]) -> Iterator[tuple[str, Array]]:
        for layer in layers:
            for product in layer.products:
                yield from self.product(product)
            yield from self.norm(layer.attended_norm)
            yield from self.norm(layer.outer_norm)

    def head(self, plan: HeadPlan) -> Iterator[tuple[str, Array]]:
        if plan.transform is not None:
            yield from self.product(plan.transform)
        if plan.norm is None:
            if plan.output is not None:
                yield from self.product(plan.output)
            return
        yield from self.norm(plan.norm)  # of a masked language model, whose table is the encoder's
        if plan.output is not None and plan.output.bias is not None:
            yield plan.output.bias, self.named(plan.output.bias)


def spread(name: str, steps: NDArray[np.int8]) -> Array:
    """Weights in steps, each somewhere in the step that it was rounded to, the same each time;
    none beyond the largest, which made the scale.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    moved = steps.astype(np.float32) + rng.uniform(-0.5, 0.5, steps.shape).astype(np.float32)
    return np.clip(moved, -INT8_LIMIT, INT8_LIMIT)


def thaw(folder: Path) -> Model:
    """The model of a bundle with FP32 weights. Raises RecipeError for one it cannot read."""
    manifest = read_manifest(folder)
    plan = manifest.plan
    if manifest.family != "bert" or manifest.precision not in ("fp32", "int8"):
        raise RecipeError(
            f"{folder}: a {manifest.precision} bundle of {manifest.family}; "
            "only fp32 and int8 bundles of bert can be read back"
        )
    if plan is None or plan.embeddings is None:
        raise RecipeError(f"{folder}: run `qingyu models upgrade {folder}` first")
    encoder = Tensors(folder / WEIGHTS)
    found = {f"bert.{name}": array for name, array in encoder.embeddings(plan.embeddings)}
    found |= {f"bert.{name}": array for name, array in encoder.layers(plan.layers)}
    for head in known_heads(manifest).values():
        if head.plan is not None:
            found |= Tensors(folder / WEIGHTS, folder / head.weights).head(head.plan)
    model = Model(config_of(manifest, plan, plan.embeddings), head_specs(manifest))
    export.fill(model, {name: torch.tensor(array) for name, array in found.items()}, folder)
    return model


def own_layers(folder: Path, owner: str) -> dict[str, torch.Tensor]:
    """The tensors of a head with layers of its own and of all heads that share them, FP32, under
    the names of a checkpoint: `heads.<owner>.encoder.layer.<i>.*` and the like. Raises RecipeError
    where the bundle has no such head.
    """
    heads = read_manifest(folder).heads
    if owner not in heads or heads[owner].branch is None:
        raise RecipeError(f"{folder}: no head {owner!r} with layers of its own")
    tensors = Tensors(folder / heads[owner].weights)
    found: dict[str, Array] = {}
    for head in heads.values():
        if head.weights == heads[owner].weights and head.plan is not None:
            found |= tensors.layers(head.plan.layers)
            found |= tensors.head(head.plan)
    return {name: torch.tensor(array) for name, array in found.items()}


def known_heads(manifest: Manifest) -> dict[str, HeadInfo]:
    """Heads that read the encoder's end."""
    return {name: head for name, head in manifest.heads.items() if head.branch is None}


def config_of(manifest: Manifest, plan: Plan, embeddings: EmbeddingsPlan) -> Config:
    """The shape of a bundle's model."""
    sizes = manifest.sizes
    return Config(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.num_layers,
        num_attention_heads=sizes.num_heads,
        intermediate_size=sizes.intermediate_size,
        max_position_embeddings=sizes.max_positions,
        type_vocab_size=1 if embeddings.type is None else embeddings.type.rows,
        layer_norm_eps=plan.epsilon,
    )


def head_specs(manifest: Manifest) -> dict[str, HeadSpec]:
    """The task heads of a bundle."""
    return {
        name: HeadSpec(tuple(head.labels), LEVEL_OF_KIND[head.kind])
        for name, head in known_heads(manifest).items()
        if head.kind in LEVEL_OF_KIND
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A bundle back to a checkpoint directory.")
    parser.add_argument("bundle", help="the name or the folder of a bundle")
    parser.add_argument("--out", required=True, type=Path, help="checkpoint directory to write")
    args = parser.parse_args(argv)
    try:
        folder = find(args.bundle)
        model = thaw(folder)
    except QingyuError as error:
        raise RecipeError(error.en) from None
    export.save(model, folder, args.out)
    print(f"{args.out}: written from {folder}")


if __name__ == "__main__":
    run(main)
