"""`qingyu models upgrade`: a bundle of format 1, or of format 2 with INT4 weights as they lay of
old, becomes one of today, with the same answers.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from qingyu import bundle
from qingyu.build.families.encoder import Encoder
from qingyu.build.families.registry import FAMILIES
from qingyu.build.format1 import Converter, OldGraph
from qingyu.build.graph import point
from qingyu.build.graphs import Graphs
from qingyu.build.measure.probe import observe, probe, read_texts
from qingyu.build.repack import repack
from qingyu.build.rewrite import copy, rewritten
from qingyu.build.stored import Stored, stored_head, stored_precision
from qingyu.build.write import with_files
from qingyu.bundle import FORMAT, OLD_WEIGHTS, HeadInfo, Manifest, Sizes
from qingyu.engine.native.weights import int4_of_rows
from qingyu.errors import BuildError
from qingyu.plan import EmbeddingsPlan, HeadPlan, LayerPlan, Plan, Product, Table
from qingyu.tensors import TensorFile, TensorWriter

OPAQUE = ("albert", "mobilebert", "mt5", "t5")  # families whose graphs are taken as they are
VOCABULARY = {  # what the bias and the table of a masked language model are called
    "lm_head.dense": ("lm_head.bias", "lm_head.decoder"),
    "generator_predictions.dense": ("generator_lm_head.bias", "generator_lm_head"),
    "vocab_transform": ("vocab_projector.bias", "vocab_projector"),
}
BERT_VOCABULARY = ("cls.predictions.bias", "cls.predictions.decoder")
TOLERANCE = 1e-4  # of what FP32 graphs answer, whose sums may be in another order


def upgrade(folder: Path) -> Manifest:
    """Rewrite a bundle whole or not at all; its answers stay the same.

    Raises BundleError where it is damaged, BuildError where there is nothing to do or it cannot be
    written.
    """
    old = bundle.read_manifest(folder)
    if old.format == FORMAT and not int4_of_rows(old):
        raise BuildError(
            f"{folder} 已是格式 {FORMAT}。", f"{folder} is of format {FORMAT} already."
        )
    bundle.verify(old)
    with rewritten(folder) as new:
        kept = {bundle.TOKENIZER, bundle.CARD, bundle.REPORT}
        for file in folder.iterdir():
            if file.name in kept:
                copy(file, new)
        if old.format == FORMAT:
            manifest = repack(old, new)
        elif family := _family(old):
            manifest = _post_norm(old, family, new)
        else:
            manifest = _opaque(old, new)
        manifest = with_files(replace(manifest, format=FORMAT, path=new))
        bundle.write_manifest(manifest, new)
        _require_same(old, manifest)
    return bundle.read_manifest(folder)


def _family(old: Manifest) -> type[Encoder] | None:
    """The family whose names its tensors have; None where its graphs are taken as they are."""
    family = None if old.family in OPAQUE else FAMILIES.get(old.family)
    if old.precision == "as-is" or family is None or not issubclass(family, Encoder):
        return None
    return family


def _require_same(old: Manifest, new: Manifest) -> None:
    """Raises BuildError where the new bundle answers sample texts otherwise."""
    asked = probe(old, read_texts()[::8])
    before, after = observe(old, asked), observe(new, asked)
    pairs = [(before.hidden, after.hidden)]
    pairs += [(rows, after.heads[name]) for name, rows in before.heads.items()]
    exact = old.precision in ("int8", "int7")
    same = (np.array_equal(a, b) if exact else np.allclose(a, b, atol=TOLERANCE) for a, b in pairs)
    if not all(same):
        raise BuildError(
            f"{old.path} 改写后答案不同，没有改动它。",
            f"{old.path} would answer otherwise; it was left as it is.",
        )


def _opaque(old: Manifest, folder: Path) -> Manifest:
    """Weights under the names that the graphs have for them, graphs as they are."""
    files = [name for name in old.files if name.endswith(".onnx")]
    models = {name: onnx.load(old.path / name, load_external_data=False) for name in files}
    moved: list[TensorProto] = []
    with closing(TensorWriter(folder / bundle.WEIGHTS)) as out:
        for model in models.values():
            for tensor in model.graph.initializer:
                if tensor.data_location == TensorProto.EXTERNAL:
                    place = {entry.key: entry.value for entry in tensor.external_data}
                    offset, length = int(place["offset"]), int(place["length"])
                    data = np.memmap(old.path / OLD_WEIGHTS, np.uint8, "r", offset, (length,))
                    out.append(tensor.name, data)  # as bytes: the graphs know what they stand for
                    moved.append(tensor)
    for tensor in moved:
        del tensor.external_data[:]
        point(tensor, bundle.WEIGHTS, out.place(tensor.name))
    for name, model in models.items():
        (folder / name).write_bytes(model.SerializeToString(deterministic=True))
    return replace(old, plan=Plan("as-is"))


def _post_norm(old: Manifest, family: type[Encoder], folder: Path) -> Manifest:
    graph = OldGraph(old.path / bundle.ENCODER)
    with closing(TensorWriter(folder / bundle.WEIGHTS)) as out:
        plan = _encoder(old, family, Converter(graph, out))
    encoder = TensorFile(folder / bundle.WEIGHTS)
    heads: dict[str, HeadInfo] = {}
    for name, head in old.heads.items():
        file = bundle.head_weights(name)
        with closing(TensorWriter(folder / file)) as out:
            told = _head(head, Converter(OldGraph(old.path / head.file), out), plan, old.sizes)
        heads[name] = replace(head, weights=file, plan=told)
    graphs = Graphs(Stored(plan, old.sizes), stored_precision(old.precision, plan, heads), encoder)
    graphs.write_segments([old.sizes.num_layers])
    for name, head in heads.items():
        own = TensorFile(folder / head.weights)
        heads[name] = graphs.write_head(stored_head(name, head, plan.epsilon), own)
    graphs.save(folder)
    return replace(old, heads=heads, plan=plan)


def _encoder(old: Manifest, family: type[Encoder], convert: Converter) -> Plan:
    """Convert the encoder's tensors; say what it is."""
    graph = convert.graph
    norm = next(name for name in graph.norms() if name.endswith("embeddings.LayerNorm"))
    prefix = norm.removesuffix("embeddings.LayerNorm")
    word, position = "embeddings.word_embeddings", "embeddings.position_embeddings"
    rows, width, kind = convert.table("embeddings.word", word, packed=True)
    convert.norm(norm, norm.removeprefix(prefix))
    segments = None
    if "embeddings.type" in graph.arrays:
        segment = "embeddings.token_type_embeddings"
        kinds = graph.arrays["embeddings.type"]
        convert.plain("embeddings.type", f"{segment}.weight")
        segments = Table(segment, len(kinds), width, "fp32")
    places = Table(position, *convert.table("embeddings.position", position))
    first = graph.matrices()[0]
    projection = None
    if not first.startswith(f"{prefix}{family.STEM}."):
        projection = convert.product([first], first.removeprefix(prefix))
    layers = []
    for index in range(old.sizes.num_layers):
        names = family.LAYER.below(f"{prefix}{family.STEM}.{index}")
        bare = family.LAYER.below(f"{family.STEM}.{index}")
        parts = [f"{names.query}.stacked"]
        if parts[0] not in {f"{name}" for name in graph.matrices()}:
            parts = [names.query, f"{names.key}.stacked"]
        for part in ("attended_norm", "outer_norm"):
            convert.norm(getattr(names, part), getattr(bare, part))
        layers.append(
            LayerPlan(
                convert.product(parts, f"{bare.query.rpartition('.')[0]}.qkv"),
                convert.product([names.attended], bare.attended),
                bare.attended_norm,
                convert.product([names.inner], bare.inner),
                convert.product([names.outer], bare.outer),
                bare.outer_norm,
            )
        )
    table = Product(word, rows, width, kind, "row" if kind == "int8" else "float", None)
    return Plan(
        "post-norm",
        graph.function(),
        float(graph.attribute("LayerNormalization", "epsilon")),
        EmbeddingsPlan(table, places, segments, norm.removeprefix(prefix), projection),
        tuple(layers),
    )


def _head(head: HeadInfo, convert: Converter, plan: Plan, sizes: Sizes) -> HeadPlan:
    """Convert a head's tensors; say what it is."""
    graph = convert.graph
    names = graph.matrices()
    if head.kind != "masked-lm":
        *transform, output = [convert.product([name], _bare(name)) for name in names]
        return HeadPlan(
            (), next(iter(transform), None), graph.function() if transform else None, None, output
        )
    transform_name, table_name = names
    (norm,) = graph.norms()
    bias, decoder = VOCABULARY.get(transform_name, BERT_VOCABULARY)
    made = convert.product([transform_name], transform_name)
    convert.norm(norm, norm)
    convert.plain("vocabulary.bias", bias)
    table = Stored(plan, sizes).tables.word
    if table_name == "vocabulary.word":
        rows, width, kind = convert.table(table_name, decoder, packed=True)
        table = Product(decoder, rows, width, kind, table.input, None)
    return HeadPlan((), made, graph.function(), norm, replace(table, bias=bias))


def _bare(name: str) -> str:
    """A pooler is the model's own, and so named after it."""
    stem, _, rest = name.partition(".")
    return rest if stem in FAMILIES or stem in ("bert", "ernie", "roberta", "electra") else name
