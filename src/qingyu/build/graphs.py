"""The graphs of a bundle: shared layers cut where heads branch off, heads and layers of their own.

Weights are appended to files as they are first written, or found in files that are finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from qingyu.build.body import Body, token_inputs
from qingyu.build.families.t5 import T5
from qingyu.build.graph import Graph, Tensors
from qingyu.build.heads import Head
from qingyu.build.layers import Layers, Layout
from qingyu.build.precisions.base import OTHER, Origin, Precision
from qingyu.build.precisions.calibrate import Calibrating
from qingyu.build.precisions.registry import of_heads
from qingyu.bundle import HeadInfo, segment_file
from qingyu.plan import LayerPlan, Product, Table

END = "hidden"  # what calibration calls the rows at the encoder's end


@dataclass
class Graphs:
    """Graphs by file; `origins` says what is known of the rows that each segment gives."""

    body: Body | T5
    precision: Precision
    encoder: Tensors
    files: dict[str, Graph] = field(default_factory=dict)
    origins: dict[int, Origin] = field(default_factory=dict)

    def write_segments(self, ends: Sequence[int]) -> None:
        """The shared layers, cut after each of `ends`, rising."""
        for start, end in zip([0, *ends], ends, strict=False):
            graph = Graph("encoder", self.encoder)
            layers, layout = Layers(graph, self.precision), Layout(graph)
            if len(ends) == 1:
                x = self.body.encoder(layers, layout, *token_inputs(graph))
            elif not isinstance(self.body, Body):
                raise TypeError("these layers cannot be parted")
            else:
                if start:
                    x = graph.input("states", np.float32, ["tokens", self.body.hidden])
                    layers.origins[x] = self.origins[start]
                else:
                    x = self.body.embeddings(layers, *token_inputs(graph))
                x = self.body.stack(layers, layout, x, start, end)
            origin = layers.origins.get(x, OTHER)
            last = end == self.body.layers
            self.origins[end] = replace(origin, name=END) if last else origin
            graph.output(x, "hidden", ["rows" if last else "tokens", self.body.hidden])
            self.files[segment_file(start)] = graph

    def write_head(self, head: Head, own: Tensors) -> HeadInfo:
        """A head and the layers of its own; new weights go to `own`."""
        origin = self.origins[self.body.layers if head.branch is None else head.branch]
        layers_file, plans = "", tuple[LayerPlan, ...]()
        if head.layers:
            layers_file, plans = self._own_layers(head, own, origin)
            origin = Origin("norm", head.layers[-1].outer_norm.name)
        graph = Graph(head.name, own, [self.encoder])
        states = graph.input("hidden", np.float32, ["rows", self.body.hidden])
        logits = head.write(Layers(graph, of_heads(self.precision), {states: origin}), states)
        graph.output(logits, "logits", ["rows", "outputs"])
        info = HeadInfo(f"head-{head.name}.onnx", head.kind, head.labels, head.problem, head.unit)
        self.files[info.file] = graph
        plan = head.write.plan(graph.products)
        return replace(
            info,
            weights=own.path.name,
            branch=head.branch,
            layers=layers_file,
            plan=plan and replace(plan, layers=plans),
            evidence=head.evidence,
        )

    def write_calibration(
        self, precision: Calibrating, heads: Iterable[Head], files: Sequence[Tensors]
    ) -> Graph:
        """One graph of everything, over the same weights, that tells what it is asked to of the
        numbers in it; its last output is `hidden`.
        """
        graph = Graph("calibrate", self.encoder, files)
        layers, layout = Layers(graph, precision), Layout(graph)
        branched = {head.owner: head for head in heads if head.layers}
        if not branched or not isinstance(self.body, Body):
            x = self.body.encoder(layers, layout, *token_inputs(graph))
        else:
            x, start = self.body.embeddings(layers, *token_inputs(graph)), 0
            ends = {head.branch for head in branched.values() if head.branch is not None}
            for end in sorted({*ends, self.body.layers}):
                x = self.body.stack(layers, layout, x, start, end)
                for head in branched.values():
                    if head.branch == end:
                        rows = self._through(layers, head, x, layout)
                        precision.tell(graph, rows, head.layers[-1].outer_norm.name)
                start = end
        graph.output(x, END, ["rows", self.body.hidden])
        return graph

    def told(self) -> tuple[dict[str, Product], dict[str, Table]]:
        """Every product and every table that was written, by name."""
        products: dict[str, Product] = {}
        tables: dict[str, Table] = {}
        for graph in self.files.values():
            products |= graph.products
            tables |= graph.tables
        return products, tables

    def save(self, folder: Path) -> None:
        """Write all graphs; their weights are finished."""
        for file, graph in self.files.items():
            graph.save(folder / file)

    def _own_layers(
        self, head: Head, own: Tensors, origin: Origin
    ) -> tuple[str, tuple[LayerPlan, ...]]:
        """The graph of a head's own layers, which heads of one owner share; its file and plans."""
        file = f"layers-{head.owner or head.name}.onnx"
        if file not in self.files:
            graph = Graph("layers", own, [self.encoder])
            states = graph.input("states", np.float32, ["tokens", self.body.hidden])
            layers = Layers(graph, self.precision, {states: origin})
            rows = self._through(layers, head, states, Layout(graph))
            graph.output(rows, "hidden", ["rows", self.body.hidden])
            self.files[file] = graph
        products = self.files[file].products
        return file, tuple(layer.plan(products) for layer in head.layers)

    def _through(self, layers: Layers, head: Head, x: str, layout: Layout) -> str:
        if not isinstance(self.body, Body):
            raise TypeError("these layers cannot be parted")
        return layers.own_layers(
            x, head.layers, self.body.heads_per_layer, self.body.activation, layout
        )
