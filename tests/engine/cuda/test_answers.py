"""What a GPU would compute, its graphs run on the CPU: the same answers, cut or whole."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from qingyu import bundle
from qingyu.build.pipeline import Options, build
from qingyu.build.precisions.fp16 import bfloat16
from qingyu.bundle import Manifest
from qingyu.engine.batch import PackedBatch
from qingyu.engine.cuda import CudaEngine, kind_of, required, sizes
from qingyu.engine.cuda.graph import PartWriter
from qingyu.engine.cuda.numbers import Tensors, as_kind
from qingyu.engine.device import Device
from qingyu.engine.onnx import OnnxEngine
from qingyu.errors import BundleError
from qingyu.numbers import FloatArray
from qingyu.query import Query

TESTS = Path(__file__).parents[2]
CHECKPOINTS = TESTS / "golden" / "checkpoints"
BRANCHES = TESTS / "build" / "branches"
FAMILIES = [
    "bert-masked-lm", "bert-ner", "roberta-sentiment", "albert-masked-lm", "distilbert-ner",
    "electra-sentiment", "ernie-masked-lm", "xlm-roberta-nli", "bert-encoder",
]  # fmt: skip

FLOAT_OPERATORS = {
    "Add", "Cast", "Flatten", "Gather", "Gelu", "Gemm", "Identity", "LayerNormalization", "Mul",
    "MultiHeadAttention", "Reshape",
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Manifest]:
    """`built(checkpoint, precision)`: its bundle; "branches" is one whose heads branch off, with
    and without layers of their own."""
    folder = tmp_path_factory.mktemp("bundles")

    def source(name: str) -> Path:
        if name != "branches":
            return CHECKPOINTS / name
        made = folder / name
        if not made.exists():
            shutil.copytree(CHECKPOINTS / "bert-masked-lm", made)
            heads = load_file(BRANCHES / "heads.safetensors")
            weights = load_file(made / "model.safetensors")
            weights |= {key: array.astype(np.float32) for key, array in heads.items()}
            save_file(weights, made / "model.safetensors")
            shutil.copy(BRANCHES / "heads.json", made)
        return made

    @cache
    def made(name: str, precision: str) -> Manifest:
        options = Options(precision=precision, measure=False, min_agreement=0)
        return build(source(name), folder / f"{name}-{precision}", options).manifest

    return lambda name, precision="fp32": made(name, precision)


def asked(manifest: Manifest) -> list[Query]:
    """Three lengths for every head and for none, in the order of the layers that they read."""
    draw = np.random.default_rng(0)
    found = []
    for head in sorted(["", *manifest.heads], key=lambda name: (manifest.branch(name), name)):
        for length in (3, 17, 40):
            ids = draw.integers(6, manifest.sizes.vocab_size, length)
            types = np.zeros(length, np.int64)
            found.append(Query(ids, types, np.arange(0, length, 2), head))
    return found


def answers(engine: CudaEngine | OnnxEngine, queries: list[Query]) -> list[FloatArray]:
    """Rows by head."""
    return engine.run(PackedBatch.of(queries))


def on_cpu(manifest: Manifest, memory: int | None = None, kind: str = "fp32") -> CudaEngine:
    """The GPU's part is run by the CPU's provider."""
    return CudaEngine(manifest, 1, Device("cuda", memory), kind, "cpu")


@pytest.mark.parametrize("name", [*FAMILIES, "branches"])
def test_the_same_answers_as_the_bundles_own_graphs(
    name: str, built: Callable[..., Manifest]
) -> None:
    """Of every family, for every head, FP32 logits are those of the bundle's graphs within 1e-4."""
    manifest = built(name)
    queries = asked(manifest)
    expected = answers(OnnxEngine(manifest, 1), queries)
    for ours, theirs in zip(answers(on_cpu(manifest), queries), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize(
    ("precision", "within"), [("fp16", 2e-3), ("bf16", 2e-3), ("int8", 0.3), ("int7", 0.4)]
)
def test_weights_are_widened(precision: str, within: float, built: Callable[..., Manifest]) -> None:
    """Of each kind of weight the same matrices are read that the bundle's graphs compute with;
    under INT8 these round what goes in as well, on weights far wider than any trained model's."""
    manifest = built("bert-masked-lm", precision)
    queries = asked(manifest)
    expected = answers(OnnxEngine(manifest, 1), queries)
    for ours, theirs in zip(answers(on_cpu(manifest), queries), expected, strict=True):
        assert np.abs(ours - theirs).mean() < within * max(1.0, float(np.abs(theirs).mean()))


def test_fp16_is_near_fp32(built: Callable[..., Manifest]) -> None:
    """Half the digits move logits by a thousandth of their size."""
    manifest = built("branches")
    queries = asked(manifest)
    whole, half = (answers(on_cpu(manifest, kind=kind), queries) for kind in ("fp32", "fp16"))
    for ours, theirs in zip(half, whole, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=5e-3 * max(1.0, float(np.abs(theirs).max())))
    assert any(not np.array_equal(ours, theirs) for ours, theirs in zip(half, whole, strict=True))


@pytest.mark.parametrize("name", ["branches", "bert-nli", "albert-masked-lm"])
def test_cut_anywhere_the_answers_are_those_of_the_whole(
    name: str, built: Callable[..., Manifest]
) -> None:
    """However many layers a limit leaves on the GPU, answers are the same within 1e-5, whichever
    heads branch off before or after the cut."""
    manifest = built(name)
    queries = asked(manifest)
    expected = answers(on_cpu(manifest), queries)
    measured = sizes.measured(manifest, "fp32")
    for layers in range(1, manifest.sizes.num_layers):
        limit = sizes.needed(manifest, measured, layers)
        engine = on_cpu(manifest, limit)
        assert not engine.cut.whole
        assert sizes.needed(manifest, measured, engine.cut.layers) == limit  # ALBERT's cost nothing
        for ours, theirs in zip(answers(engine, queries), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_alone_as_in_company(built: Callable[..., Manifest]) -> None:
    """Asked alone or among sequences of other lengths and heads, an answer is the same to 1e-5."""
    manifest = built("branches")
    queries, engine = asked(manifest), on_cpu(manifest)
    alone = np.split(np.arange(len(queries)), len(queries) // 3)  # three queries a head
    for indices, together in zip(alone, answers(engine, queries), strict=True):
        single = [answers(engine, [queries[index]])[0] for index in indices]
        np.testing.assert_allclose(np.concatenate(single), together, atol=1e-5)


def test_what_each_bundle_is_computed_with(built: Callable[..., Manifest]) -> None:
    """FP32 stays, BF16 where the GPU has it and FP32 where not, and all else is FP16."""
    for precision, with_it, without in (
        ("fp32", "fp32", "fp32"),
        ("bf16", "bf16", "fp32"),
        ("fp16", "fp16", "fp16"),
        ("int8", "fp16", "fp16"),
    ):
        plan = required(built("bert-masked-lm", precision))
        assert (kind_of(plan, True), kind_of(plan, False)) == (with_it, without)


def test_no_node_of_bytes_is_left(built: Callable[..., Manifest]) -> None:
    """An INT8 bundle's part is float products alone, its weights float16, and a valid graph."""
    manifest = built("bert-masked-lm", "int8")
    plan = required(manifest)
    assert plan.activation is not None
    writer = PartWriter("fp16", Tensors(manifest.path), 4, plan.activation, plan.epsilon)
    part = writer.shared(plan.embeddings, plan.layers, last=True)
    graph = onnx.load_from_string(part.model).graph
    kinds = {node.op_type for node in graph.node}
    assert kinds <= FLOAT_OPERATORS, kinds
    assert {array.dtype for array in part.weights.values()} == {np.dtype(np.float16)}
    outside = {one.name for one in graph.initializer if one.data_location}
    assert outside == part.weights.keys()


def test_bfloat16_is_rounded_to_nearest_even(built: Callable[..., Manifest]) -> None:
    """Bits of bfloat16 are those that the bundles' own builder writes, and are declared as such."""
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    assert np.array_equal(as_kind(values, "bf16"), bfloat16(values))
    manifest = built("bert-masked-lm", "bf16")
    plan = required(manifest)
    assert plan.activation is not None
    writer = PartWriter("bf16", Tensors(manifest.path), 4, plan.activation, plan.epsilon)
    graph = onnx.load_from_string(writer.shared(None, plan.layers, last=False).model).graph
    kinds = {one.data_type for one in graph.initializer if one.data_location}
    assert kinds == {onnx.TensorProto.BFLOAT16}


def test_beyond_float16_is_refused() -> None:
    """A weight that FP16 would turn into infinity is an error that names the way out."""
    with pytest.raises(ValueError, match="bf16 or fp32"):
        as_kind(np.array([1e6], np.float32), "fp16")


def test_four_bits_are_refused(built: Callable[..., Manifest]) -> None:
    """What the writer does not read is one error in both languages with the remedy."""
    with pytest.raises(BundleError, match="build the bundle as fp16") as caught:
        on_cpu(built("bert-masked-lm", "int4"))
    assert "请构建为 fp16" in caught.value.zh


def test_a_damaged_bundle_is_one_error(built: Callable[..., Manifest], tmp_path: Path) -> None:
    """A file that is not what the plan tells is one error, not a traceback of the runtime."""
    folder = tmp_path / "cut"
    shutil.copytree(built("bert-ner").path, folder)
    file = folder / bundle.WEIGHTS
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BundleError, match="Cannot load"):
        on_cpu(bundle.read_manifest(folder))


def test_closed_it_holds_nothing(built: Callable[..., Manifest]) -> None:
    """Sessions, and with them what they hold, end with the engine."""
    engine = on_cpu(built("bert-ner"))
    sessions = [weakref.ref(segment.session) for segment in engine._segments]
    sessions += [weakref.ref(head) for head in engine._heads.values()]
    engine.close()
    gc.collect()
    assert sessions
    assert all(session() is None for session in sessions)
