"""A bundle as what it is written from: its graphs can be written anew, without a checkpoint."""

from __future__ import annotations

import numpy as np

from qingyu.build.body import Body
from qingyu.build.graphs import END
from qingyu.build.heads import Classifier, Head, MaskedLanguageModel, Readout
from qingyu.build.layers import Layers, Layout
from qingyu.build.naming import LayerShape
from qingyu.build.parts import Linear, Norm, PostNorm, unread
from qingyu.build.precisions.base import Precision
from qingyu.build.precisions.registry import PRECISIONS
from qingyu.build.trained_heads import Trunk
from qingyu.bundle import HeadInfo, Sizes
from qingyu.errors import BuildError
from qingyu.plan import HeadPlan, Plan


class Stored(Body):
    """The encoder that a plan tells of, its weights in the bundle's files already."""

    def __init__(self, plan: Plan, sizes: Sizes) -> None:
        """Raises BuildError for a plan that leaves the encoder to its graphs."""
        if plan.embeddings is None or plan.activation is None:
            raise BuildError(
                f"{plan.architecture} 的模型包只有计算图知道其权重，不能改写。",
                f"Only the graphs of a bundle of {plan.architecture} know its weights: it cannot "
                "be changed.",
            )
        self.told = plan
        self.tables = plan.embeddings
        self.hidden = sizes.hidden_size
        self.layers = sizes.num_layers
        self.heads_per_layer = sizes.num_heads
        self.feed_forward = sizes.intermediate_size
        self.embedding = self.tables.word.inputs
        self.activation = plan.activation
        self.epsilon = plan.epsilon

    def table(self) -> Linear:
        return Linear.stored(self.tables.word)

    def position_table(self, width: int) -> Linear:
        return Linear(self.tables.position.name, self.tables.position.rows, width)

    def segment_table(self, width: int) -> Linear | None:
        kinds = self.tables.type
        return None if kinds is None else Linear(kinds.name, kinds.rows, width)

    def embedding_norm(self) -> Norm:
        return Norm(self.tables.norm, self.epsilon)

    def projection(self) -> Linear | None:
        projection = self.tables.projection
        return None if projection is None else Linear.stored(projection)

    def post_norm(self, index: int) -> PostNorm:
        return PostNorm.stored(self.told.layers[index], self.epsilon)

    def shared(self, index: int) -> bool:
        before = (layer.qkv.name for layer in self.told.layers[:index])
        return self.told.layers[index].qkv.name in before

    def encoder(
        self, layers: Layers, layout: Layout, input_ids: str, token_type_ids: str, positions: str
    ) -> str:
        if not self.separate():  # weights that are shared take no fixed steps in
            layers = Layers(layers.graph, layers.precision.calibrated({}))
        return super().encoder(layers, layout, input_ids, token_type_ids, positions)

    def trunk(self) -> Trunk:
        """What heads trained beside it must know of it."""
        width = self.told.layers[0].attended.inputs
        shape = LayerShape(self.hidden, width, self.feed_forward, self.epsilon)
        return Trunk(self.layers, shape, self.activation, self.table(), self.separate())


def stored_precision(name: str, plan: Plan, heads: dict[str, HeadInfo]) -> Precision:
    """The precision that a bundle was written at. Its fixed steps lie in the bundle; that there
    are any is all that must be known.
    """
    precision = PRECISIONS[name]
    plans: list[Plan | HeadPlan] = [plan]
    plans += [head.plan for head in heads.values() if head.plan]
    if not any(product.input == "fixed" for one in plans for product in one.products()):
        return precision
    layers = [layer for one in plans for layer in one.layers]
    norms = [END, *(norm for layer in layers for norm in (layer.attended_norm, layer.outer_norm))]
    if plan.embeddings is not None:
        norms.append(plan.embeddings.norm)
    return precision.calibrated(dict.fromkeys(norms, np.empty(0, np.float32)))


def stored_head(name: str, info: HeadInfo, epsilon: float) -> Head:
    """A head of a bundle, to be written anew."""
    if info.plan is None:
        raise BuildError(
            f"任务头 {name} 只有计算图，不能改写。",
            f"The head {name} is a graph alone and cannot be changed.",
        )
    return Head(
        name,
        info.kind,
        info.labels,
        _readout(info.plan, epsilon),
        info.problem,
        info.unit,
        info.weights.removeprefix("head-").removesuffix(".safetensors"),
        info.branch,
        tuple(PostNorm.stored(layer, epsilon) for layer in info.plan.layers),
        info.evidence,
    )


def _readout(plan: HeadPlan, epsilon: float) -> Readout:
    transform = None if plan.transform is None else Linear.stored(plan.transform)
    activation = plan.activation or "tanh"
    if plan.norm is None or plan.output is None or transform is None or plan.output.bias is None:
        output = None if plan.output is None else Linear.stored(plan.output)
        return Classifier(output, transform, activation)
    table = Linear(plan.output.name, plan.output.outputs, plan.output.inputs)
    return MaskedLanguageModel(
        transform, activation, Norm(plan.norm, epsilon), table, plan.output.bias, unread
    )
