"""Which engine runs a bundle: what QINGYU_ENGINE asks for, or the first that can."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from qingyu.bundle import Manifest
from qingyu.engine.backend import Engine, Refusal
from qingyu.errors import BundleError, SettingsError

ENGINE_VARIABLE = "QINGYU_ENGINE"
AUTO = "auto"
ENGINES = ("native", "onnx")  # in the order in which `auto` tries them


class Door(NamedTuple):
    """An engine as its module offers it: why it cannot run a bundle here, and how it opens one."""

    refusal: Callable[[Manifest], Refusal | None]
    open: Callable[[Manifest, int | None], Engine]


@dataclass(frozen=True)
class Choice:
    """The engine for a bundle, whether it was asked for, and why others were passed over."""

    name: str
    asked: bool
    refusals: Mapping[str, Refusal]


def choose(manifest: Manifest) -> Choice:
    """Raises SettingsError where QINGYU_ENGINE names no engine, BundleError where it names one
    that cannot run this bundle here, or none can.
    """
    wanted = os.environ.get(ENGINE_VARIABLE, "") or AUTO
    if wanted not in (AUTO, *ENGINES):
        raise SettingsError(
            f"{ENGINE_VARIABLE} 应为 {AUTO}、{'、'.join(ENGINES)} 之一，收到 {wanted!r}。",
            f"{ENGINE_VARIABLE} should be one of {AUTO}, {', '.join(ENGINES)}, not {wanted!r}.",
        )
    refusals: dict[str, Refusal] = {}
    for name in ENGINES if wanted == AUTO else (wanted,):
        refusal = door(name).refusal(manifest)
        if refusal is None:
            return Choice(name, wanted != AUTO, refusals)
        refusals[name] = refusal
    zh = "；".join(f"{name}：{no.zh}" for name, no in refusals.items())
    en = "; ".join(f"{name}: {no.en}" for name, no in refusals.items())
    raise BundleError(f"无法运行 {manifest.name}：{zh}。", f"{manifest.name} cannot run: {en}.")


def open_engine(manifest: Manifest, threads: int | None = None) -> Engine:
    """Load a bundle into the engine that `choose` finds. Raises what that does, and BundleError
    where a file cannot be read.
    """
    return door(choose(manifest).name).open(manifest, threads)


def door(name: str) -> Door:
    """The engine of this name, imported when it is wanted: each brings its own weight."""
    if name == "native":
        from qingyu.engine import native

        return Door(native.refusal, native.NativeEngine)
    from qingyu.engine import onnx

    return Door(onnx.refusal, onnx.OnnxEngine)
