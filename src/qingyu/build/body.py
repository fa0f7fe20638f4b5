"""A post-norm encoder as a graph writer sees it, whether its weights come from a checkpoint or lie
in a bundle already: embeddings summed and normalised, then layers with their norms last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from qingyu.build.graph import Graph
from qingyu.build.layers import Layers, Layout
from qingyu.build.parts import Linear, Norm, PostNorm
from qingyu.plan import Architecture, EmbeddingsPlan, Function, Plan, Product, Table


class Body(ABC):
    """Sizes and parts are its subclasses' to tell; how they are joined is written here."""

    hidden: int
    layers: int
    heads_per_layer: int
    embedding: int
    activation: Function
    epsilon: float
    architecture: Architecture = "post-norm"

    @abstractmethod
    def table(self) -> Linear:
        """The word embeddings, [vocabulary, embedding]."""

    @abstractmethod
    def position_table(self, width: int) -> Linear:
        """Embeddings of places from a text's first token on; with the segment's, where there is
        one segment only."""

    @abstractmethod
    def segment_table(self, width: int) -> Linear | None:
        """Embeddings of segments, where there are several."""

    @abstractmethod
    def embedding_norm(self) -> Norm: ...

    @abstractmethod
    def projection(self) -> Linear | None:
        """What widens embeddings to the encoder's width, where theirs is another."""

    @abstractmethod
    def post_norm(self, index: int) -> PostNorm:
        """The parts of one layer."""

    @abstractmethod
    def shared(self, index: int) -> bool:
        """Whether the layer's weights are those of another layer too."""

    def encoder(
        self, layers: Layers, layout: Layout, input_ids: str, token_type_ids: str, positions: str
    ) -> str:
        """Hidden states of the requested rows, [rows, hidden]."""
        x = self.embeddings(layers, input_ids, token_type_ids, positions)
        return self.stack(layers, layout, x, 0, self.layers)

    def stack(self, layers: Layers, layout: Layout, x: str, start: int, end: int) -> str:
        """Layers from `start` up to `end`: [tokens, hidden] to the same, and at the encoder's end
        to [rows, hidden].
        """
        for index in range(start, end):
            last = index == self.layers - 1
            written = layers.closest() if last and not self.shared(index) else layers
            x = self.layer(written, layout, x, index, last)
        return x

    def embeddings(self, layers: Layers, ids: str, types: str, positions: str) -> str:
        """[tokens, hidden], from int64 [tokens] each."""
        words = layers.precision.tied_lookup(layers.graph, ids, self.table())
        x = self.placed(layers, words, types, positions, self.embedding)
        x = layers.norm(x, self.embedding_norm())
        projection = self.projection()
        return x if projection is None else layers.linear(x, projection)

    def placed(self, layers: Layers, words: str, types: str, positions: str, width: int) -> str:
        """`words` with the embeddings of their places and of their segments added."""
        graph = layers.graph
        place = layers.precision.lookup(graph, positions, self.position_table(width))
        x = graph.node("Add", words, place)
        segments = self.segment_table(width)
        if segments is None:
            return x
        graph.tables[segments.name] = Table(segments.name, segments.outputs, width, "fp32")
        rows = graph.weight(f"{segments.name}.weight", lambda: segments.matrix)
        return graph.node("Add", x, graph.node("Gather", rows, types, axis=0))

    def layer(self, layers: Layers, layout: Layout, x: str, index: int, last: bool) -> str:
        """[tokens, hidden] to the same; the last layer to [rows, hidden]."""
        return layers.post_norm(
            x, self.post_norm(index), self.heads_per_layer, self.activation, layout, last,
            self.shared(index),
        )  # fmt: skip

    def separate(self) -> bool:
        """Whether each layer is one of its own, between which heads can branch off."""
        plain = type(self).layer is Body.layer
        return plain and not any(map(self.shared, range(self.layers)))

    def plan(self, products: dict[str, Product], tables: dict[str, Table]) -> Plan:
        """What the manifest says of it, as it was written."""
        if self.architecture != "post-norm":
            return Plan(self.architecture)  # only its graphs know it
        projection, segments = self.projection(), self.segment_table(self.embedding)
        embeddings = EmbeddingsPlan(
            products[self.table().name],
            tables[self.position_table(self.embedding).name],
            None if segments is None else tables[segments.name],
            self.embedding_norm().name,
            None if projection is None else products[projection.name],
        )
        layers = tuple(self.post_norm(index).plan(products) for index in range(self.layers))
        return Plan(self.architecture, self.activation, self.epsilon, embeddings, layers)


INPUTS = ("input_ids", "token_type_ids", "position_ids")


def token_inputs(graph: Graph) -> tuple[str, str, str]:
    """Inputs of a graph that reads tokens, int64 [tokens] each."""
    ids, types, positions = (graph.input(name, np.int64, ["tokens"]) for name in INPUTS)
    return ids, types, positions
