"""A bundle back to a checkpoint directory, so that whoever has the package can go on training what
is in it.

    python -m training.thaw qingyu-small-zh --out checkpoint

Reads the graphs of BERT bundles at fp32 and int8 and undoes what `qingyu build` did to each matrix:
one scale an output channel, the fixed steps of its inputs, the floor of GELU. What rounding took is
gone. In its place weights are spread evenly over what would have rounded to them: left on the grid,
the next build would round small changes, all that a short training makes, back to nothing.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from qingyu.build.heads import LEVELS
from qingyu.build.precisions.quantise import GELU_FLOOR, INT8_LIMIT
from qingyu.bundle import Manifest, find, read_manifest
from qingyu.errors import QingyuError
from training import export
from training.errors import RecipeError, run
from training.model import Config, HeadSpec, Model

Array = NDArray[np.float32]
PLAIN = {
    "embeddings.word": "bert.embeddings.word_embeddings.weight",
    "embeddings.position": "bert.embeddings.position_embeddings.weight",
    "embeddings.type": "bert.embeddings.token_type_embeddings.weight",
    "vocabulary.bias": "cls.predictions.bias",
}
STACKS = {  # the first of the matrices that a product holds -> all of them, in order
    "query": ("query", "key", "value"),
    "key": ("key", "value"),
}
LEVEL_OF_KIND = {kind: level for level, kind in LEVELS.items()}


class Graph:
    """One graph of a bundle: its weights by name, and what each product is fed."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path)
        self.nodes = model.graph.node
        self.arrays = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        self._makers = {name: node for node in self.nodes for name in node.output}

    def attribute(self, operator: str, name: str) -> float:
        """An attribute of the first node of a kind."""
        node = next(node for node in self.nodes if node.op_type == operator)
        return next(a.i or a.f for a in node.attribute if a.name == name)

    def matrices(self) -> dict[str, Array]:
        """Every matrix that a product reads, by name: float32 [outputs, inputs]."""
        found = {}
        for node in self.nodes:
            if node.op_type == "MatMul" and node.input[1] in self.arrays:
                found[node.input[1]] = self.arrays[node.input[1]].T
            if node.op_type == "MatMulIntegerToFloat" and node.input[1] in self.arrays:
                name = node.input[1]
                matrix = self._spread(name).T * self.arrays[f"{name}.scale"][:, None]
                found[name] = matrix / self._steps(node.input[0])
        return found

    def _steps(self, values: str) -> Array | float:
        """The fixed steps that were taken into the weights which meet these bytes; else 1."""
        node = self._makers[values]
        if node.op_type == "Gather":  # the rows that were asked for
            node = self._makers[node.input[0]]
        maker = self._makers.get(node.input[0])
        if maker is None or maker.op_type != "Mul" or maker.input[1] not in self.arrays:
            return 1.0
        return 1 / self.arrays[maker.input[1]]

    def table(self, name: str) -> Array:
        """An embedding table, float32 [rows, width]."""
        scale = self.arrays.get(f"{name}.scale")
        return self.arrays[name] if scale is None else self._spread(name) * scale

    def _spread(self, name: str) -> Array:
        """Weights in steps, each somewhere in the step that it was rounded to, the same each time;
        none beyond the largest, which made the scale.
        """
        steps = self.arrays[name].astype(np.float32)
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        steps += rng.uniform(-0.5, 0.5, steps.shape).astype(np.float32)
        return np.clip(steps, -INT8_LIMIT, INT8_LIMIT)

    def bias(self, name: str) -> Array:
        """The bias of the product with this matrix, less what the floor of GELU added to it."""
        raised = self.arrays.get(f"{name}.raised_bias")
        if raised is None:
            return self.arrays[f"{name}.bias"]
        columns = self.arrays[name].sum(axis=0, dtype=np.float32)
        return raised - GELU_FLOOR * self.arrays[f"{name}.scale"] * columns

    def tensors(self) -> dict[str, Array]:
        """The weights under transformers' names, as far as this graph holds them."""
        found = {}
        for name, own in PLAIN.items():
            if name in self.arrays:
                found[own] = self.table(name)
        for name in self.arrays:
            if "LayerNorm." in name:
                found[name] = self.arrays[name]
        for name, matrix in self.matrices().items():
            found |= parted(name, matrix, self.bias(name))
        return found


def parted(name: str, matrix: Array, bias: Array) -> dict[str, Array]:
    """A matrix and its bias under their names; several that were stacked, each under its own."""
    stem = name.removesuffix(".stacked")
    names = [stem]
    if stem != name:
        before, _, first = stem.rpartition(".")
        names = [f"{before}.{part}" for part in STACKS[first]]
    found = {}
    for own, rows, cut in zip(
        names, np.split(matrix, len(names)), np.split(bias, len(names)), strict=True
    ):
        found |= {f"{own}.weight": rows, f"{own}.bias": cut}
    return found


def thaw(folder: Path) -> Model:
    """The model of a bundle with FP32 weights. Raises RecipeError for one it cannot read."""
    manifest = read_manifest(folder)
    if manifest.family != "bert" or manifest.precision not in ("fp32", "int8"):
        raise RecipeError(
            f"{folder}: a {manifest.precision} bundle of {manifest.family}; "
            "only fp32 and int8 bundles of bert can be read back"
        )
    encoder = Graph(folder / "encoder.onnx")
    model = Model(config_of(manifest, encoder), head_specs(manifest))
    tensors = encoder.tensors()
    for head in manifest.heads.values():
        tensors |= Graph(folder / head.file).tensors()
    export.fill(model, {name: torch.tensor(array) for name, array in tensors.items()}, folder)
    return model


def config_of(manifest: Manifest, encoder: Graph) -> Config:
    """The shape of a bundle's model."""
    sizes = manifest.sizes
    return Config(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.num_layers,
        num_attention_heads=sizes.num_heads,
        intermediate_size=sizes.intermediate_size,
        max_position_embeddings=sizes.max_positions,
        type_vocab_size=len(encoder.arrays["embeddings.type"]),
        layer_norm_eps=encoder.attribute("LayerNormalization", "epsilon"),
    )


def head_specs(manifest: Manifest) -> dict[str, HeadSpec]:
    """The task heads of a bundle."""
    return {
        name: HeadSpec(tuple(head.labels), LEVEL_OF_KIND[head.kind])
        for name, head in manifest.heads.items()
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
