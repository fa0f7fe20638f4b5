"""`qingyu doctor`: what this machine offers, what is missing, and how to get it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from typing import Literal

import typer

from qingyu import __version__, machine
from qingyu.cli import console

NEEDED = ("numpy", "tokenizers", "typer", "rich")
SERVING = ("fastapi", "uvicorn", "pydantic-settings", "prometheus-client")
RUNTIME, GPU_RUNTIME = "onnxruntime", "onnxruntime-gpu"
BUILDING = ("onnx", RUNTIME)
SMALL_MEMORY = 512 << 20

Verdict = Literal["ok", "note", "bad"]
MARKS: dict[Verdict, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "note": ("•", "yellow"),
    "bad": ("✗", "red"),
}


@dataclass(frozen=True)
class Diagnosis:
    """One line of the report; `advice` says what to do about it."""

    verdict: Verdict
    subject: str
    value: str
    advice: str = ""


def doctor() -> None:
    """检查这台机器：CPU、线程、内存、版本、缺什么 / Examine this machine.

    一切可用则退出码为 0，缺少必需的部分则为 1。
    """
    findings = [
        _system(),
        *_cpu(),
        _threads(),
        _memory(),
        *_packages(),
        *_models(),
        *_engine(),
        _gpu(),
    ]
    _draw(findings)
    if any(finding.verdict == "bad" for finding in findings):
        raise typer.Exit(console.FAILURE)


def _system() -> Diagnosis:
    what = f"{platform.platform()}, Python {platform.python_version()}, qingyu {__version__}"
    return Diagnosis("ok", "系统 system", what)


def _cpu() -> list[Diagnosis]:
    cpu = machine.read_cpu()
    diagnoses = [Diagnosis("ok", "CPU", cpu.model)]
    if cpu.features is None:
        return [
            *diagnoses,
            Diagnosis("note", "指令集 features", "系统未提供 / not told by the system"),
        ]
    features = ", ".join(cpu.features) or "—"
    if cpu.fast_int8:
        return [
            *diagnoses,
            Diagnosis("ok", "指令集 features", f"{features}（INT8 加速 / fast INT8）"),
        ]
    from qingyu.engine.cpu import products_overflow

    advice = "没有 VNNI/AMX，INT8 能用但较慢 / no VNNI or AMX: INT8 works, slower"
    if products_overflow():
        advice += (
            "；权重按无符号字节读入以免溢出，int7 的模型无需如此"
            " / weights are read as unsigned bytes so that nothing overflows; int7 bundles need not"
        )
    return [*diagnoses, Diagnosis("note", "指令集 features", features, advice)]


def _threads() -> Diagnosis:
    from qingyu.engine.threads import thread_count

    chosen, available = thread_count(), machine.available_cpus()
    value = f"{chosen}（可用 CPU {available} / {os.cpu_count()}；allowed by affinity and cgroup）"
    if chosen > available:
        advice = "线程多于可用 CPU，会变慢 / more threads than CPUs allowed: slower"
        return Diagnosis("note", "线程 threads", value, advice)
    return Diagnosis("ok", "线程 threads", value)


def _memory() -> Diagnosis:
    count = machine.memory_bytes()
    if count is None:
        return Diagnosis("note", "内存 memory", "系统未提供 / not told by the system")
    value = f"{count / 2**30:.1f} GiB"
    if count < SMALL_MEMORY:
        return Diagnosis("note", "内存 memory", value, "只够小模型 / enough for small models only")
    return Diagnosis("ok", "内存 memory", value)


def _packages() -> list[Diagnosis]:
    return [
        _installed("运行 runtime", NEEDED, "bad"),
        _installed("服务 serving", SERVING, "bad"),
        _installed("构建 building", BUILDING, "note"),
    ]


def _installed(subject: str, names: tuple[str, ...], verdict: Verdict) -> Diagnosis:
    versions = {name: _version(name) for name in names}
    value = ", ".join(f"{name} {version or '✗'}" for name, version in versions.items())
    missing = [name for name, version in versions.items() if version is None]
    if not missing:
        return Diagnosis("ok", subject, value)
    return Diagnosis(verdict, subject, value, f"安装 / install: pip install {' '.join(missing)}")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        # The same module by another name; to install both would break it.
        return _version(GPU_RUNTIME) if package == RUNTIME else None


def _models() -> list[Diagnosis]:
    from qingyu import bundle
    from qingyu.errors import BundleError

    diagnoses = []
    for folder in bundle.installed():
        try:
            manifest = bundle.read_manifest(folder)
            bundle.verify(manifest)
        except BundleError as error:
            diagnoses.append(
                Diagnosis("bad", "模型 model", folder.name, str(error).replace("\n", " / "))
            )
        else:
            size = f"{manifest.precision}, {manifest.bytes / 1e6:.1f} MB"
            diagnoses.append(
                Diagnosis("ok", "模型 model", f"{manifest.name}（{size}，完好 / intact）")
            )
    if not diagnoses:
        advice = "重新安装轻语 / reinstall qingyu"
        diagnoses.append(Diagnosis("bad", "模型 model", "没有 / none", advice))
    return diagnoses


def _engine() -> list[Diagnosis]:
    """Which engine runs the default model, and why not another."""
    from qingyu import bundle
    from qingyu.engine.choice import AUTO, ENGINE_VARIABLE, choose
    from qingyu.errors import QingyuError

    try:
        choice = choose(bundle.read_manifest(bundle.find(bundle.DEFAULT)))
    except QingyuError as error:
        return [Diagnosis("bad", "引擎 engine", "—", str(error).replace("\n", " / "))]
    why = f"{ENGINE_VARIABLE}={choice.name if choice.asked else AUTO}"
    passed = [f"{name}：{no.zh} / {no.en}" for name, no in choice.refusals.items()]
    return [Diagnosis("ok", "引擎 engine", f"{choice.name}（{'；'.join([why, *passed])}）")]


def _gpu() -> Diagnosis:
    """The GPU, and whether it can run the default model; none is needed."""
    from qingyu import bundle
    from qingyu.engine import cuda
    from qingyu.engine.cuda.driver import first_gpu
    from qingyu.errors import QingyuError

    gpu = first_gpu()
    if gpu is None:
        return Diagnosis("ok", "显卡 GPU", "没有，也不需要 / none, and none is needed")
    major, minor = gpu.capability
    value = f"{gpu.name}, {gpu.memory / 2**30:.1f} GiB, compute capability {major}.{minor}"
    try:
        no = cuda.refusal(bundle.read_manifest(bundle.find(bundle.DEFAULT)))
    except QingyuError as error:
        return Diagnosis("note", "显卡 GPU", value, str(error).replace("\n", " / "))
    if no is not None:
        return Diagnosis("note", "显卡 GPU", value, f"{no.zh} / {no.en}")
    return Diagnosis("ok", "显卡 GPU", f"{value}（--device cuda）")


def _draw(findings: list[Diagnosis]) -> None:
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    screen = console.rich_console()
    width = max(cell_len(finding.subject) for finding in findings)
    for finding in findings:
        mark, colour = MARKS[finding.verdict]
        subject = set_cell_size(finding.subject, width)
        screen.print(Text.assemble((mark, colour), " ", (subject, "dim"), "  ", finding.value))
        if finding.advice:
            screen.print(Text(f"  → {finding.advice}", style=colour))
