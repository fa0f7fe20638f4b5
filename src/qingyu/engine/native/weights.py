"""The kernels' structures of a bundle: every size is checked against the files before a pointer is
given away, since C believes what it is told.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from qingyu.bundle import WEIGHTS, HeadInfo, Manifest
from qingyu.engine.native import structures as s
from qingyu.numbers import FloatArray
from qingyu.plan import GELU_FLOOR, LayerPlan, Product, Table
from qingyu.tensors import BLOCK, COLUMNS, ROWS, TensorFile, read_places

MOST_INPUTS = 65536  # sums of more products of bytes could leave 32 bits
MOST_OUTPUTS = 1 << 24


class MappedWeights:
    """The tensors of a bundle, mapped, and the structures that point into them."""

    def __init__(self, manifest: Manifest) -> None:
        """Raises OSError, and ValueError or KeyError where files and plan do not go together."""
        plan = manifest.plan
        if plan is None or plan.embeddings is None or not plan.layers:
            raise ValueError("the plan holds no encoder")
        self._manifest = manifest
        self._layer_count = len(plan.layers)
        self._kept: list[Any] = []  # what pointers lead into
        self._files = [TensorFile(manifest.path / WEIGHTS)]
        names = dict.fromkeys(head.weights for head in manifest.heads.values() if head.weights)
        # Heads may share a file, which is mapped once: pages of two mappings count twice.
        self._own = {name: TensorFile(manifest.path / name) for name in names}
        self._hidden = manifest.sizes.hidden_size
        self.heads = {name: index for index, name in enumerate(manifest.heads)}
        words, place, kind = plan.embeddings.word, plan.embeddings.position, plan.embeddings.type
        width = words.inputs
        _require(place.width == width and (kind is None or kind.width == width), "embeddings")
        projection = plan.embeddings.projection
        _require((width if projection is None else projection.outputs) == self._hidden, "hidden")
        layers = self._layers(plan.layers)
        heads = [self._head(head) for head in manifest.heads.values()]
        head_width = plan.layers[0].attended.inputs // manifest.sizes.num_heads
        self.model = s.CModel(
            word=self._words(words),
            position=self._table(place),
            type=s.CTable() if kind is None else self._table(kind),
            embedding_norm=self._norm(plan.embeddings.norm, width),
            projection=self._product(projection, width),
            layers=layers,
            heads=(s.CHead * len(heads))(*heads),
            layer_count=len(plan.layers),
            head_count=len(heads),
            hidden=self._hidden,
            attention_heads=manifest.sizes.num_heads,
            head_width=head_width,
            feed_forward=manifest.sizes.intermediate_size,
            activation=s.ACTIVATIONS[plan.activation],
            epsilon=plan.epsilon,
        )

    def outputs(self, head: str) -> int:
        """Numbers a row that a head gives; "" gives the hidden states."""
        plan = self._manifest.heads[head].plan if head else None
        return self._hidden if plan is None or plan.output is None else plan.output.outputs

    def _head(self, head: HeadInfo) -> s.CHead:
        plan = head.plan
        if plan is None:
            raise ValueError("a head comes without a plan")
        if head.weights:
            self._files.insert(0, self._own[head.weights])
        try:
            width = self._hidden if plan.transform is None else plan.transform.outputs
            branch = self._layer_count if head.branch is None else head.branch
            _require(1 <= branch <= self._layer_count, "branch")
            return s.CHead(
                layers=self._layers(plan.layers),
                layer_count=len(plan.layers),
                branch=branch,
                transform=self._product(plan.transform, self._hidden),
                output=self._product(plan.output, width),
                norm=self._norm(plan.norm, width),
                activation=s.ACTIVATIONS[plan.activation],
            )
        finally:
            if head.weights:
                del self._files[0]

    def _layers(self, plans: Sequence[LayerPlan]) -> Any:
        layers = (s.CLayer * len(plans))(*map(self._layer, plans))
        self._kept.append(layers)
        return layers

    def _layer(self, plan: LayerPlan) -> s.CLayer:
        width = plan.attended.inputs
        heads = self._manifest.sizes.num_heads
        _require(plan.qkv.outputs == 3 * width and width % heads == 0, plan.qkv.name)
        _require(plan.attended.outputs == self._hidden, plan.attended.name)
        _require(plan.outer.outputs == self._hidden, plan.outer.name)
        return s.CLayer(
            qkv=self._product(plan.qkv, self._hidden),
            attended=self._product(plan.attended, width),
            inner=self._product(plan.inner, self._hidden),
            outer=self._product(plan.outer, plan.inner.outputs),
            attended_norm=self._norm(plan.attended_norm, self._hidden),
            outer_norm=self._norm(plan.outer_norm, self._hidden),
        )

    def _product(self, plan: Product | None, inputs: int) -> s.CProduct:
        """A product whose inputs are `inputs` numbers wide; none where there is no plan."""
        if plan is None:
            return s.CProduct()
        n, k = plan.outputs, plan.inputs
        _require(k == inputs and 1 <= k <= MOST_INPUTS and 1 <= n <= MOST_OUTPUTS, plan.name)
        bias: FloatArray | None = None
        if plan.bias is not None:
            bias = self._array(plan.bias, np.float32, n)
        made = s.CProduct(
            outputs=n,
            inputs=k,
            weight_kind=s.WEIGHTS[plan.weight],
            input_kind=s.INPUTS[plan.input],
        )
        weight = f"{plan.name}.weight"
        if plan.weight == "fp32":
            _require(plan.input == "float", plan.name)
            made.weight = self._at(self._array(weight, np.float32, n, k))
        elif plan.weight == "int4":
            _require(plan.input == "block", plan.name)
            panels, blocks = -(-n // ROWS), -(-k // BLOCK)
            shape = (panels, blocks, BLOCK // 8, ROWS, COLUMNS)
            made.weight = self._at(self._array(weight, np.uint8, *shape))
            scales = self._array(f"{weight}_scale", np.uint16, panels, blocks, ROWS)
            made.block_scale = self._at(scales)
            zeros = self._array(f"{weight}_zero_point", np.uint8, panels, (blocks + 1) // 2, ROWS)
            made.block_zero = self._at(zeros)
        else:
            _require(plan.input in ("fixed", "row", "floor"), plan.name)
            made.weight = self._at(self._array(weight, np.int8, *packed_shape(n, k)))
            scale: FloatArray = self._array(f"{weight}_scale", np.float32, n)
            sums = self._array(f"{weight}_sum", np.int32, n)
            made.weight_scale = self._at(scale)
            made.weight_sum = self._at(sums)
            if plan.input == "fixed":
                made.input_scale = self._at(
                    1 / self._array(f"{plan.name}.input_scale", np.float32, k)
                )
            if plan.input == "floor":
                raised = np.float32(GELU_FLOOR) * scale * sums.astype(np.float32)
                bias = raised if bias is None else bias + raised
        made.bias = None if bias is None else self._at(bias)
        return made

    def _words(self, plan: Product) -> s.CTable:
        """The table that heads may multiply, too, and that is therefore laid out as a product."""
        n, width = plan.outputs, plan.inputs
        made = s.CTable(rows=n, width=width, kind=s.WEIGHTS[plan.weight])
        if plan.weight == "int8":
            made.packed = 1
            made.weight = self._at(
                self._array(f"{plan.name}.weight", np.int8, *packed_shape(n, width))
            )
            made.scale = self._at(self._array(f"{plan.name}.weight_scale", np.float32, n))
        else:
            made.weight = self._at(self._array(f"{plan.name}.weight", np.float32, n, width))
        return made

    def _table(self, plan: Table) -> s.CTable:
        made = s.CTable(rows=plan.rows, width=plan.width, kind=s.WEIGHTS[plan.weight])
        dtype = np.int8 if plan.weight == "int8" else np.float32
        made.weight = self._at(self._array(f"{plan.name}.weight", dtype, plan.rows, plan.width))
        if plan.weight == "int8":
            made.scale = self._at(self._array(f"{plan.name}.weight_scale", np.float32, plan.rows))
        return made

    def _norm(self, name: str | None, width: int) -> s.CNorm:
        if name is None:
            return s.CNorm()
        return s.CNorm(
            self._at(self._array(f"{name}.weight", np.float32, width)),
            self._at(self._array(f"{name}.bias", np.float32, width)),
        )

    def _array(self, name: str, dtype: type[np.generic], *shape: int) -> Any:
        """A tensor, of the head's own file first. Raises KeyError, or ValueError for another
        shape or type than the plan tells.
        """
        file = next((file for file in self._files if name in file), self._files[-1])
        array = file.array(name)
        _require(array.dtype == dtype and array.shape == shape, name)
        return array

    def _at(self, array: Any) -> int:
        """The address of an array, which is kept."""
        contiguous = np.ascontiguousarray(array)
        self._kept.append(contiguous)
        return contiguous.ctypes.data


def products_of(manifest: Manifest) -> list[Product]:
    """Every product of a bundle whose plan, and those of its heads, tell of them."""
    plans = [manifest.plan, *(head.plan for head in manifest.heads.values())]
    return [product for plan in plans if plan is not None for product in plan.products()]


def int4_of_rows(manifest: Manifest) -> bool:
    """Whether its INT4 weights lie in rows, [N, B, 32], as bundles once had them."""
    names = {f"{one.name}.weight" for one in products_of(manifest) if one.weight == "int4"}
    files = {WEIGHTS, *(head.weights for head in manifest.heads.values() if head.weights)}
    try:
        return any(
            name in names and len(place.shape) == 3
            for file in (files if names else ())
            for name, place in read_places(manifest.path / file).items()
        )
    except (OSError, ValueError):  # told where the weights are opened
        return False


def packed_shape(outputs: int, inputs: int) -> tuple[int, int, int, int]:
    """The shape of packed INT8 weights."""
    return -(-outputs // ROWS), -(-inputs // COLUMNS), ROWS, COLUMNS


def _require(right: bool, what: str) -> None:
    if not right:
        raise ValueError(f"{what}: the files hold something else than the plan tells")


def pointers(arrays: Sequence[FloatArray]) -> Any:
    """A C array of the addresses of arrays."""
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
