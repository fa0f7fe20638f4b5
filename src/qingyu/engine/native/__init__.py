"""Qingyu's own engine: BERT-family encoders in a few files of C, weights used where they lie.

`kernels/` is the C, `library.py` finds it compiled, `weights.py` shows it a bundle.
"""

from __future__ import annotations

import ctypes
import os

import numpy as np

from qingyu.bundle import Manifest
from qingyu.engine.backend import CPU_BATCH_TOKENS, Refusal
from qingyu.engine.batch import PackedBatch
from qingyu.engine.native import library
from qingyu.engine.native.structures import INPUTS, WEIGHTS, CBatch
from qingyu.engine.native.weights import MappedWeights, int4_of_rows, pointers, products_of
from qingyu.engine.threads import thread_count
from qingyu.errors import BundleError, SettingsError
from qingyu.numbers import FloatArray

WORKING_BYTES = 16 << 20  # arrays between layers of a batch of usual size
MOST_THREADS = 256
SET_VARIABLE = "QINGYU_INSTRUCTION_SET"  # for tests and measurements


def chosen_set() -> int:
    """Index of the instruction set that QINGYU_INSTRUCTION_SET names, the best by default.

    Raises SettingsError where this CPU has none of that name, OSError without kernels.
    """
    wanted = os.environ.get(SET_VARIABLE, "")
    found = library.instruction_sets()
    if wanted and wanted not in found:
        raise SettingsError(
            f"{SET_VARIABLE} 应为 {'、'.join(found)} 之一，收到 {wanted!r}。",
            f"{SET_VARIABLE} should be one of {', '.join(found)}, not {wanted!r}.",
        )
    return found.index(wanted) if wanted else 0


def refusal(manifest: Manifest) -> Refusal | None:
    """Why this engine cannot run a bundle here, or None."""
    plan = manifest.plan
    if plan is None or plan.embeddings is None:
        return Refusal(
            "它不是 BERT 一类的编码器，或是旧格式的模型包",
            "it is no encoder of the BERT family, or a bundle of the old format",
        )
    if any(head.plan is None for head in manifest.heads.values()):
        return Refusal("有的任务头没有说明", "a head comes without a plan")
    products = products_of(manifest)
    tables = [plan.embeddings.position, *filter(None, [plan.embeddings.type])]
    weights = {product.weight for product in products} | {table.weight for table in tables}
    inputs = {product.input for product in products}
    unknown = sorted([*(weights - WEIGHTS.keys()), *(inputs - INPUTS.keys())])
    if unknown:
        names = ", ".join(unknown)
        return Refusal(f"还不支持 {names}", f"it does not know {names} yet")
    if int4_of_rows(manifest):
        upgrade = f"qingyu models upgrade {manifest.path}"
        return Refusal(
            f"它的 INT4 权重是旧的排列，可用 {upgrade} 改写",
            f"its INT4 weights lie in rows, as of old: {upgrade} rewrites them",
        )
    try:
        library.library()
    except OSError as error:
        return Refusal(f"没有编译好的内核（{error}）", f"there are no compiled kernels ({error})")
    return None


class NativeEngine:
    """One call into C a batch, in which the GIL is released."""

    name = "native"
    batch_tokens = CPU_BATCH_TOKENS

    def __init__(
        self, manifest: Manifest, threads: int | None = None, instruction_set: int | None = None
    ) -> None:
        """`instruction_set` is an index into `library.instruction_sets()`; None: `chosen_set`.

        Raises BundleError where a file cannot be read or is not what the plan tells.
        """
        try:
            self._weights: MappedWeights | None = MappedWeights(manifest)
        except (OSError, ValueError, KeyError) as error:
            raise BundleError(
                f"无法载入 {manifest.path}：{error}", f"Cannot load {manifest.path}: {error}"
            ) from error
        self._bytes = manifest.bytes
        self._threads = min(thread_count(threads), MOST_THREADS)
        self._instruction_set = chosen_set() if instruction_set is None else instruction_set

    @property
    def memory_bytes(self) -> int:
        """Its files, mapped, and what a batch takes."""
        return self._bytes + WORKING_BYTES

    def run(self, batch: PackedBatch) -> list[FloatArray]:
        """See `Engine`."""
        weights = self._weights
        if weights is None:
            raise ValueError("the engine is closed")
        rows = np.add.reduceat(batch.counts, [group.first for group in batch.groups])
        answers = [
            np.empty((count, weights.outputs(group.head)), np.float32)
            for group, count in zip(batch.groups, rows, strict=True)
        ]
        arrays = [
            np.ascontiguousarray(array, np.int64)
            for array in (
                batch.input_ids,
                batch.token_type_ids,
                batch.positions,
                batch.lengths,
                batch.counts,
            )
        ]
        heads = [weights.heads[group.head] if group.head else -1 for group in batch.groups]
        sizes = [group.end - group.first for group in batch.groups]
        integers = ctypes.c_int32 * len(sizes)
        told = CBatch(
            *(array.ctypes.data for array in arrays),
            *map(ctypes.addressof, kept := (integers(*heads), integers(*sizes), pointers(answers))),
            len(batch.lengths),
            len(sizes),
        )
        library.check(
            library.library().qy_run(
                ctypes.byref(weights.model),
                ctypes.byref(told),
                self._threads,
                self._instruction_set,
            )
        )
        del kept
        return answers

    def close(self) -> None:
        """See `Engine`. A batch under way keeps what it reads until it is done."""
        self._weights = None
