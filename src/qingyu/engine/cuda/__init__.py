"""A GPU as an engine: ONNX Runtime on CUDA, on graphs of float products made from named weights.

`sizes.py` says which layers fit on the GPU; the rest runs on the CPU in FP32. Weights of INT8 are
widened, so answers are nearer to the checkpoint's than the CPU's are, but not the same to the last
bit: on a GPU the sum's order depends on the batch.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np

from qingyu.bundle import Manifest
from qingyu.engine.backend import Refusal
from qingyu.engine.batch import Feeds, PackedBatch, feeds, layout
from qingyu.engine.cuda import sizes
from qingyu.engine.cuda.driver import first_gpu
from qingyu.engine.cuda.graph import Part, PartWriter
from qingyu.engine.cuda.numbers import READABLE, Kind, Tensors
from qingyu.engine.cuda.session import CUDA, PartSession, Where, on_host
from qingyu.engine.device import Device
from qingyu.engine.runtime import is_installed, onnx_runtime
from qingyu.errors import BundleError
from qingyu.numbers import FloatArray
from qingyu.plan import Plan

INSTALL = "pip uninstall onnxruntime && pip install onnx 'onnxruntime-gpu[cuda,cudnn]'"
LARGE_TOKENS = 2 * sizes.BATCH_TOKENS  # of a batch after which the GPU's free memory is given back
WORKING_BYTES = 32 << 20  # of the process, beside what layers on the CPU hold


def refusal(manifest: Manifest) -> Refusal | None:
    """Why no GPU can run a bundle here, or None."""
    if (no := unreadable(manifest)) is not None:
        return no
    if first_gpu() is None:
        return Refusal("这台机器没有 NVIDIA 显卡或驱动", "this machine has no NVIDIA GPU or driver")
    if not is_installed() or importlib.util.find_spec("onnx") is None:
        return Refusal(
            f"没有装齐，请运行：{INSTALL}", f"something is not installed; run: {INSTALL}"
        )
    if CUDA not in onnx_runtime().get_available_providers():
        return Refusal(
            f"装的 onnxruntime 不含 CUDA，请运行：{INSTALL}",
            f"the onnxruntime that is installed has no CUDA; run: {INSTALL}",
        )
    return None


def unreadable(manifest: Manifest) -> Refusal | None:
    """Why a bundle's plan does not tell how to compute it from its weights, or None."""
    plan = manifest.plan
    heads = [head.plan for head in manifest.heads.values()]
    if plan is None or plan.embeddings is None or not plan.layers or None in heads:
        return Refusal(
            "它不是 BERT 一类的编码器，或是旧格式的模型包",
            "it is no encoder of the BERT family, or a bundle of the old format",
        )
    products = [*plan.products(), *(one for head in heads if head for one in head.products())]
    unknown = {product.weight for product in products} - {*READABLE}
    if unknown:
        names = ", ".join(sorted(unknown))
        return Refusal(
            f"不支持 {names}，请构建为 fp16", f"it does not know {names}; build the bundle as fp16"
        )
    return None


def required(manifest: Manifest) -> Plan:
    """The bundle's plan. Raises BundleError where `unreadable` has a reason."""
    no = unreadable(manifest)
    if no is not None or manifest.plan is None:
        raise BundleError(f"{manifest.name}：{no and no.zh}。", f"{manifest.name}: {no and no.en}.")
    return manifest.plan


def kind_of(plan: Plan, has_bfloat16: bool) -> Kind:
    """What a GPU computes a bundle with: FP32 as FP32; BF16 as itself where the GPU has it, for
    FP16 may not hold its numbers; everything else as FP16."""
    weights = {product.weight for product in plan.products()}
    if "bf16" in weights:
        return "bf16" if has_bfloat16 else "fp32"
    return "fp32" if weights == {"fp32"} else "fp16"


@dataclass(frozen=True)
class _Segment:
    """Shared layers up to `end`."""

    end: int
    session: PartSession


class CudaEngine:
    """The shared layers, parted where heads branch off and where the GPU's memory ends; then a
    session a head. Sessions end, and give their memory back, with the engine."""

    name = "cuda"
    batch_tokens = sizes.BATCH_TOKENS

    def __init__(
        self,
        manifest: Manifest,
        threads: int | None = None,
        device: Device | None = None,
        kind: Kind | None = None,
        where: Where = "cuda",
    ) -> None:
        """`where` is the GPU; "cpu" runs its part on the CPU, too. `kind`: see `kind_of`.

        Raises BundleError where a file cannot be read or CUDA cannot be used, SettingsError where
        the memory allowed holds nothing.
        """
        plan, gpu = required(manifest), first_gpu()
        limit = None if device is None else device.memory
        self.kind = kind or kind_of(plan, gpu is not None and gpu.has_bfloat16)
        self._manifest, self._plan, self._threads = manifest, plan, threads
        self._gpu: Where = where
        measured = sizes.measured(manifest, self.kind)
        self.cut = sizes.cut(manifest, measured, limit)
        whole = sizes.measured(manifest, sizes.FULL)
        self._host = whole.weights(len(plan.layers)) - whole.weights(self.cut.layers)
        try:
            self._segments = self._shared()
            self._heads = {name: self._head(name) for name in manifest.heads}
        except (OSError, ValueError, KeyError) as error:
            raise BundleError(
                f"无法载入 {manifest.path}：{error}", f"Cannot load {manifest.path}: {error}"
            ) from error

    @property
    def memory_bytes(self) -> int:
        """Of this process: what layers on the CPU hold."""
        return 2 * self._host + WORKING_BYTES  # as they are, and packed for the CPU's kernels

    def run(self, batch: PackedBatch) -> list[FloatArray]:
        """See `Engine`. Raises EngineError where the GPU's memory does not suffice."""
        segments, heads, end = self._segments, self._heads, len(self._plan.layers)
        parts = [batch.part(group.first, group.end) for group in batch.groups]
        ends = [self._manifest.branch(group.head) for group in batch.groups]
        own = [self._has_layers(group.head) for group in batch.groups]
        asked = [
            part.asking_all() if whole else part if at == end else _one_row(part)
            for part, at, whole in zip(parts, ends, own, strict=True)
        ]
        tokens = np.cumsum([0, *(int(part.lengths.sum()) for part in parts)])
        rows = np.cumsum([0, *(len(part.positions) for part in asked)])
        shrink = int(tokens[-1]) > LARGE_TOKENS
        arrays = feeds(PackedBatch.joined(asked))
        answers = [np.empty((0, 0), np.float32)] * len(parts)
        values: dict[Where, dict[str, object]] = {}
        states = None
        for segment in segments:
            session = segment.session
            here = values.setdefault(
                session.where, {name: session.value(array) for name, array in arrays.items()}
            )
            states = session.run(here | ({} if states is None else _moved(states, session)), shrink)
            for index, group in enumerate(batch.groups):
                if ends[index] != segment.end:
                    continue
                if not group.head:
                    answers[index] = on_host(states)[rows[index] : rows[index + 1]]
                    continue
                starts = rows if segment.end == end else tokens
                given = _of_head(parts[index], int(starts[index]), segment.end < end, own[index])
                head = heads[group.head]
                bound = {name: head.value(array) for name, array in given.items()}
                answers[index] = on_host(head.run(bound | _moved(states, head), shrink))
            if segment.end >= max(ends):
                break
        return answers

    def close(self) -> None:
        """See `Engine`. A batch under way keeps its sessions until it is done."""
        self._segments, self._heads = [], {}

    # -- making -----------------------------------------------------------------------------------

    def _shared(self) -> list[_Segment]:
        tensors, layers = Tensors(self._manifest.path), self._plan.layers
        segments, start = [], 0
        for end in self.cut.ends:
            on_gpu = end <= self.cut.layers
            writer = self._writer(tensors, on_gpu)
            embeddings = None if start else self._plan.embeddings
            part = writer.shared(embeddings, layers[start:end], end == len(layers))
            segments.append(_Segment(end, self._session(part, on_gpu)))
            start = end
        return segments

    def _head(self, name: str) -> PartSession:
        head = self._manifest.heads[name]
        if head.plan is None:
            raise ValueError(f"{name} has no plan")
        tensors = Tensors(self._manifest.path, [head.weights] if head.weights else [])
        writer = self._writer(tensors, self.cut.whole)
        hidden = self._manifest.sizes.hidden_size
        return self._session(writer.head(head.plan, hidden), self.cut.whole)

    def _writer(self, tensors: Tensors, on_gpu: bool) -> PartWriter:
        activation = self._plan.activation
        if activation is None:
            raise ValueError("the plan names no activation")
        return PartWriter(
            self.kind if on_gpu else sizes.FULL,
            tensors,
            self._manifest.sizes.num_heads,
            activation,
            self._plan.epsilon,
        )

    def _session(self, part: Part, on_gpu: bool) -> PartSession:
        limit = None
        if on_gpu and self.cut.spare is not None:
            limit = self.cut.spare + sum(array.nbytes for array in part.weights.values())
        return PartSession(part, self._gpu if on_gpu else "cpu", limit, self._threads)

    def _has_layers(self, head: str) -> bool:
        plan = self._manifest.heads[head].plan if head else None
        return plan is not None and bool(plan.layers)


def _one_row(part: PackedBatch) -> PackedBatch:
    """Sequences whose head has branched off before: one row each, which nobody reads."""
    count = len(part.lengths)
    ones, zeros = np.ones(count, np.int64), np.zeros(count, np.int64)
    return PackedBatch(part.input_ids, part.token_type_ids, part.lengths, ones, zeros, ())


def _of_head(part: PackedBatch, first: int, among_tokens: bool, layers: bool) -> Feeds:
    """What a head is fed beside `states`, of which its own begin at `first`: all tokens where it
    has layers of its own; else the rows asked for, found among all tokens or following each other.
    """
    if layers:
        return {"taken": first + np.arange(int(part.lengths.sum())), **layout(part)}
    rows = layout(part)["rows"] if among_tokens else np.arange(len(part.positions))
    return {"taken": first + rows}


def _moved(states: object, session: PartSession) -> dict[str, object]:
    """`states` where a session computes."""
    return {"states": session.at_hand(states)}
