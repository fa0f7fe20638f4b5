"""Which engine runs a bundle: a GPU's where one is asked for; else one of the CPU's, what
QINGYU_ENGINE asks for or the first that can."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from qingyu.bundle import Manifest
from qingyu.engine.backend import Engine, Refusal
from qingyu.engine.device import Device, chosen
from qingyu.errors import BundleError, SettingsError

ENGINE_VARIABLE = "QINGYU_ENGINE"
AUTO = "auto"
ENGINES = ("native", "onnx")  # of the CPU, in the order in which `auto` tries them
GPU = "cuda"


class Door(NamedTuple):
    """An engine as its module offers it: why it cannot run a bundle here, and how it opens one."""

    refusal: Callable[[Manifest], Refusal | None]
    open: Callable[[Manifest, int | None, Device], Engine]


@dataclass(frozen=True)
class Choice:
    """The engine for a bundle, whether it was asked for, and why others were passed over."""

    name: str
    asked: bool
    refusals: Mapping[str, Refusal]


def choose(manifest: Manifest, device: Device | None = None) -> Choice:
    """For `device`, or what the environment asks for without one.

    Raises SettingsError where QINGYU_ENGINE names no engine, BundleError where an engine or a GPU
    that is asked for cannot run this bundle here, or none can.
    """
    device = device or chosen()
    refusals: dict[str, Refusal] = {}
    if device.kind != "cpu":
        no = door(GPU).refusal(manifest)
        if no is None:
            return Choice(GPU, device.kind == GPU, refusals)
        if device.kind == GPU:
            raise BundleError(
                f"无法在 GPU 上运行 {manifest.name}：{no.zh}。",
                f"{manifest.name} cannot run on a GPU: {no.en}.",
            )
        refusals[GPU] = no
    wanted = os.environ.get(ENGINE_VARIABLE, "") or AUTO
    if wanted not in (AUTO, *ENGINES):
        raise SettingsError(
            f"{ENGINE_VARIABLE} 应为 {AUTO}、{'、'.join(ENGINES)} 之一，收到 {wanted!r}。",
            f"{ENGINE_VARIABLE} should be one of {AUTO}, {', '.join(ENGINES)}, not {wanted!r}.",
        )
    for name in ENGINES if wanted == AUTO else (wanted,):
        refusal = door(name).refusal(manifest)
        if refusal is None:
            return Choice(name, wanted != AUTO, refusals)
        refusals[name] = refusal
    zh = "；".join(f"{name}：{no.zh}" for name, no in refusals.items())
    en = "; ".join(f"{name}: {no.en}" for name, no in refusals.items())
    raise BundleError(f"无法运行 {manifest.name}：{zh}。", f"{manifest.name} cannot run: {en}.")


def open_engine(
    manifest: Manifest, threads: int | None = None, device: Device | None = None
) -> Engine:
    """Load a bundle into the engine that `choose` finds. Raises what that does, and BundleError
    where a file cannot be read.
    """
    device = device or chosen()
    return door(choose(manifest, device).name).open(manifest, threads, device)


def door(name: str) -> Door:
    """The engine of this name, imported when it is wanted: each brings its own weight."""
    if name == "native":
        from qingyu.engine import native

        return Door(native.refusal, lambda bundle, threads, _: native.NativeEngine(bundle, threads))
    if name == GPU:
        from qingyu.engine import cuda

        return Door(cuda.refusal, cuda.CudaEngine)
    from qingyu.engine import onnx

    return Door(onnx.refusal, lambda bundle, threads, _: onnx.OnnxEngine(bundle, threads))
