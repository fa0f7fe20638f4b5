"""`qingyu models add-head`: heads trained beside a bundle's encoder are put into the bundle.

The encoder's weights and all other heads stay as they are, byte by byte; where new heads branch
off, the graphs of the shared layers are cut anew. What calibration must know is seen on rows of the
bundle's own encoder, and on these the heads are held against themselves in FP32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from qingyu import bundle
from qingyu.build.graph import Graph
from qingyu.build.graphs import Graphs
from qingyu.build.heads import Head, described_heads
from qingyu.build.measure.agreement import compare, require
from qingyu.build.measure.probe import observe, probe, read_texts
from qingyu.build.parts import Linear, Vector
from qingyu.build.precisions.base import OTHER, Operand, Origin, Precision, Span
from qingyu.build.precisions.calibrate import ROUNDS, Calibrating, note, queries
from qingyu.build.precisions.registry import PRECISIONS
from qingyu.build.rewrite import copy, rewritten
from qingyu.build.sources import safetensors
from qingyu.build.sources.weights import Weights
from qingyu.build.stored import Stored, stored_precision
from qingyu.build.trained_heads import trained_head
from qingyu.build.write import with_files
from qingyu.bundle import FORMAT, HeadInfo, Manifest
from qingyu.engine.backend import CPU_BATCH_TOKENS
from qingyu.engine.batch import PackedBatch, cut, feeds, layout
from qingyu.engine.native.weights import int4_of_rows
from qingyu.engine.session import Session
from qingyu.errors import BuildError
from qingyu.tensors import TensorFile, TensorWriter
from qingyu.text.tokenizer import Tokenizer

FILE = "heads.safetensors"
LEAST_AGREEMENT = 0.97


def add_heads(
    folder: Path,
    heads: Path,
    calibration: Path | None = None,
    least_agreement: float = LEAST_AGREEMENT,
) -> Manifest:
    """Put the heads of `heads` (heads.json and heads.safetensors) into the bundle `folder`, in the
    place of those of the same names; whole or not at all.

    Raises CheckpointError where the heads do not fit or are incomplete, AgreementError where they
    stray from themselves at FP32, BuildError, BundleError.
    """
    old = bundle.read_manifest(folder)
    if old.format != FORMAT or old.plan is None or int4_of_rows(old):
        raise BuildError(
            f"{folder} 是旧格式，请先运行 qingyu models upgrade {folder}。",
            f"{folder} is of the old format; run qingyu models upgrade {folder} first.",
        )
    bundle.verify(old)
    body = Stored(old.plan, old.sizes)
    weights = Weights(safetensors.read_file(heads / FILE), heads / FILE)
    described = described_heads(heads)
    if not described:
        raise BuildError(f"{heads} 中没有 heads.json。", f"There is no heads.json in {heads}.")
    new = [trained_head(name, one, body.trunk(), weights) for name, one in described.items()]
    kept = {name: head for name, head in old.heads.items() if name not in described}
    files = {bundle.head_weights(head.owner) for head in new}
    shared = [name for name, head in kept.items() if head.weights in files]
    if shared:
        raise BuildError(
            f"任务头 {'、'.join(shared)} 与要替换的共用权重，请一并给出。",
            f"{', '.join(shared)} share weights with what would be replaced; give them, too.",
        )
    texts = read_texts(calibration)
    kind = PRECISIONS[old.precision]
    with rewritten(folder) as made:
        reference = made.with_name("reference")
        reference.mkdir()
        whole, graphs = _write(old, body, kept, new, Beside(kind), reference)
        rounds = ROUNDS if kind.compensates else 1
        ranges = _seen(whole, graphs, new, texts[::2], rounds)
        written, _ = _write(old, body, kept, new, kind.calibrated(ranges), made)
        asked = probe(whole, texts[1::2])
        accuracy = compare(written, observe(whole, asked), observe(written, asked))
        require({name: accuracy[name] for name in described}, least_agreement, old.precision)
        told = {name: row for name, row in old.accuracy.items() if name not in described}
        told |= {name: accuracy[name] for name in described}
        bundle.write_manifest(with_files(replace(written, accuracy=told)), made)
    return bundle.read_manifest(folder)


class Beside(Calibrating):
    """FP32 weights beside those of a bundle, which is as it is."""

    def __init__(self, bundled: Precision) -> None:
        super().__init__(products=bundled.compensates)
        self.bundled = bundled

    def operand(self, graph: Graph, x: str, reader: str, origin: Origin = OTHER) -> Operand:
        return Met(graph, x, self.bundled, super().operand(graph, x, reader, origin))


@dataclass(frozen=True)
class Met:
    """FP32 rows that meet new matrices in FP32, and a bundle's table as the bundle has it."""

    graph: Graph
    values: str
    bundled: Precision
    floats: Operand

    def take(self, rows: str) -> Operand:
        values = self.graph.node("Gather", self.values, rows, axis=0)
        return replace(self, values=values, floats=self.floats.take(rows))

    def product(self, linear: Linear, part: Span | None = None) -> str:
        return self.floats.product(linear, part)

    def tied_product(self, table: Linear) -> str:
        return self.bundled.operand(self.graph, self.values, table.name).tied_product(table)


def _write(
    old: Manifest,
    body: Stored,
    kept: Mapping[str, HeadInfo],
    new: Sequence[Head],
    precision: Precision,
    folder: Path,
) -> tuple[Manifest, Graphs]:
    """All files but the manifest into `folder`, the new heads at `precision`."""
    graphs = Graphs(
        body,
        stored_precision(old.precision, body.told, old.heads),
        TensorFile(old.path / bundle.WEIGHTS),
    )
    branches = [old.branch(name) for name in kept]
    branches += [body.layers if head.branch is None else head.branch for head in new]
    graphs.write_segments(sorted({*branches, body.layers}))
    graphs.precision = precision
    infos: dict[str, HeadInfo] = {}
    with ExitStack() as stack:
        owners: dict[str, TensorWriter] = {}
        for head in new:
            if head.owner not in owners:
                writer = TensorWriter(folder / bundle.head_weights(head.owner))
                owners[head.owner] = stack.enter_context(closing(writer))
            infos[head.name] = graphs.write_head(head, owners[head.owner])
    graphs.save(folder)
    stay = {bundle.TOKENIZER, bundle.WEIGHTS, bundle.CARD, bundle.REPORT}
    for info in kept.values():
        stay |= {info.file, info.layers, info.weights}
    if old.phrases is not None:
        stay.add(old.phrases.file)
    for file in old.path.iterdir():
        if file.name in stay:
            copy(file, folder)
    return replace(old, heads={**kept, **infos}, path=folder), graphs


def _seen(
    whole: Manifest, graphs: Graphs, new: Sequence[Head], texts: Sequence[str], rounds: int
) -> dict[str, Vector]:
    """What `statistics` tells, of the rows that new heads and their own layers read."""
    tokenizer = Tokenizer(whole.path / bundle.TOKENIZER)
    asked = list(queries(tokenizer, whole.sizes.max_positions, texts, rounds))
    segments = {end: Session(whole.path / file) for end, file in whole.segments.items()}
    layers = {whole.heads[head.name].layers: head for head in new if head.layers}
    own = {file: Session(whole.path / file, pack=False) for file in layers}
    stored: dict[str, Vector] = {}
    for indices in cut(asked, CPU_BATCH_TOKENS):
        batch = PackedBatch.of([asked[index] for index in indices])
        given = feeds(batch)
        for end, segment in segments.items():
            states = segment.run(given)
            note(stored, {graphs.origins[end].name: states})
            given["states"] = states
            for file, head in layers.items():
                if whole.branch(head.name) == end:
                    outputs = own[file].run_all({"states": states, **layout(batch)})
                    outputs[head.layers[-1].outer_norm.name] = outputs.pop("hidden")
                    note(stored, outputs)
    return stored
