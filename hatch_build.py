"""Compiles the native engine as the package is built: `pip install .`, and in place where it is
installed editable. Run by hand, `python hatch_build.py` compiles in place, too.

The compiler is CC, or cc, gcc or clang; on a machine with none, `ziglang` from PyPI. Where nothing
compiles, the wheel is a pure one, which runs on ONNX Runtime. Environment:

QINGYU_NATIVE    "no": do not compile; "must": fail where nothing compiles
QINGYU_TARGET    compile for another system by zig: a key of TARGETS
QINGYU_SANITIZE  e.g. "address,undefined": a library under build/ to be tested, not to be used
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand
    BuildHookInterface = object  # type: ignore[assignment, misc]

NATIVE = Path("src/qingyu/engine/native")
SOURCES = ("engine.c", "forward.c", "pool.c")
FLAGS = (
    "-O3", "-std=c11", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-fno-math-errno",
    "-fno-strict-aliasing", "-fno-ivopts", "-D_GNU_SOURCE", "-Wall", "-Wextra",
)  # fmt: skip
SANITIZED = ("-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all")
AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma")
# kernels.c is compiled once for each instruction set of a CPU; engine.c is told which there are.
SETS = {
    "x86_64": {
        "avx2": ("-mavx2", "-mfma"),
        "avx_vnni": ("-mavx2", "-mfma", "-mavxvnni"),
        "avx512_vnni": (*AVX512, "-mavx512vnni"),
        "amx": (*AVX512, "-mavx512vnni", "-mavx512bf16", "-mamx-tile", "-mamx-int8", "-mamx-bf16"),
    },
    "aarch64": {
        "dotprod": ("-march=armv8.2-a+dotprod",),
        "i8mm": ("-march=armv8.2-a+dotprod+i8mm",),
    },
}
ZIG_SETS = {  # zig's own names
    **SETS,
    "aarch64": {
        "dotprod": ("-mcpu=generic+dotprod",),
        "i8mm": ("-mcpu=generic+dotprod+i8mm",),
    },
}
# name -> zig's name, the wheel's platform, the CPU
TARGETS = {
    "linux-x86_64": ("x86_64-linux-gnu.2.17", "manylinux_2_17_x86_64", "x86_64"),
    "linux-aarch64": ("aarch64-linux-gnu.2.17", "manylinux_2_17_aarch64", "aarch64"),
    "macos-x86_64": ("x86_64-macos.11.0", "macosx_11_0_x86_64", "x86_64"),
    "macos-arm64": ("aarch64-macos.11.0", "macosx_11_0_arm64", "aarch64"),
    "windows-x86_64": ("x86_64-windows-gnu", "win_amd64", "x86_64"),
}
Unit: TypeAlias = "tuple[str, str, list[str]]"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
LIBRARIES = {"windows": "qingyu_native.dll", "macos": "libqingyu_native.dylib"}
SYSTEMS = {"Windows": "windows", "Darwin": "macos"}


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Adds the compiled library to a wheel, and its platform to the wheel's name."""

    def dependencies(self) -> list[str]:
        """What building needs beside hatchling, on this machine."""
        wanted = self.target_name == "wheel" and os.environ.get("QINGYU_NATIVE") != "no"
        needed = wanted and (not compilers() or os.environ.get("QINGYU_TARGET"))
        return ["ziglang>=0.13"] if needed else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version
        if self.target_name != "wheel":
            return
        library = compile_library(Path(self.root))
        if library is None:
            build_data["dependencies"].append(runtime(Path(self.root)))
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{wheel_platform()}"
        build_data["force_include"][str(library)] = f"qingyu/engine/native/{library.name}"


def runtime(root: Path) -> str:
    """What computes where nothing was compiled: the extra `onnx` of pyproject.toml."""
    (needed,) = re.findall(r'^onnx = \["(.*?)"\]', (root / "pyproject.toml").read_text(), re.M)
    return str(needed)


def wheel_platform() -> str:
    """The platform in the name of a wheel for the system that is compiled for."""
    target = os.environ.get("QINGYU_TARGET")
    if target:
        return TARGETS[target][1]
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def compilers() -> list[list[str]]:
    """Compilers to be tried, in order."""
    target = os.environ.get("QINGYU_TARGET")
    named = os.environ.get("CC", "").split()
    found = [named] if named else []
    found += [[path] for name in ("cc", "gcc", "clang") if (path := shutil.which(name))]
    if target or (not found and _has_zig()):
        zig = [sys.executable, "-m", "ziglang", "cc"]
        return [[*zig, "-target", TARGETS[target][0]] if target else zig]
    return found


def compile_library(root: Path) -> Path | None:
    """The library, compiled into the package; None where nothing compiles, which is told."""
    wish = os.environ.get("QINGYU_NATIVE", "")
    reasons = []
    for compiler in compilers() if wish != "no" else []:
        try:
            return _compiled(root, compiler)
        except (OSError, subprocess.CalledProcessError) as error:
            output = getattr(error, "stderr", b"") or b""
            reasons.append(
                f"{' '.join(compiler)}: {error} {output.decode(errors='replace')[:2000]}"
            )
    if wish == "must":
        raise SystemExit("\n".join(["The native engine does not compile.", *reasons]))
    if wish != "no":
        print(
            "没有可用的 C 编译器，轻语将使用 ONNX Runtime。\n"
            "No C compiler works here: Qingyu will use ONNX Runtime.",
            *reasons, sep="\n", file=sys.stderr,
        )  # fmt: skip
    return None


def _compiled(root: Path, compiler: list[str]) -> Path:
    native = root / NATIVE
    target = os.environ.get("QINGYU_TARGET", "")
    system = target.partition("-")[0] or SYSTEMS.get(platform.system(), "linux")
    machine = TARGETS[target][2] if target else platform.machine().lower()
    known = ZIG_SETS if "ziglang" in compiler else SETS
    sets = known.get(MACHINES.get(machine, machine), {})
    sanitize = os.environ.get("QINGYU_SANITIZE")
    extra = [f"-fsanitize={sanitize}", *SANITIZED] if sanitize else []
    beside = sanitize or target  # what runs here stays where it is
    place = root / "build" / beside if beside else native
    place.mkdir(parents=True, exist_ok=True)
    library = place / LIBRARIES.get(system, "libqingyu_native.so")
    with tempfile.TemporaryDirectory() as folder:
        compile_one = partial(_object, [*compiler, *FLAGS, *extra], native / "kernels", folder)
        with ThreadPoolExecutor() as pool:
            made_sets = dict(
                zip(sets, pool.map(partial(_maybe, compile_one), sets.items()), strict=True)
            )
            told = [f"-DQY_{name.upper()}" for name, made in made_sets.items() if made]
            units = [("kernels.c", "plain", ["-DISA_PLAIN"])]
            units += [(source, "", told) for source in SOURCES]
            objects = [*filter(None, made_sets.values()), *pool.map(compile_one, units)]
        made = Path(folder) / library.name
        libraries = [] if system == "windows" else ["-lm", "-lpthread"]
        strip = [] if sanitize or system == "macos" else ["-s"]
        _run([*compiler, "-shared", *strip, *extra, *objects, "-o", str(made), *libraries])
        shutil.copy(made, new := library.with_name(library.name + ".new"))
        new.replace(library)
    return library


def _object(command: list[str], kernels: Path, folder: str, unit: Unit) -> str:
    """The object file that a unit, (source, what it is for, its flags), is compiled to."""
    source, name, flags = unit
    made = str(Path(folder) / f"{source}-{name}.o")
    _run([*command, *flags, "-c", str(kernels / source), "-o", made])
    return made


def _maybe(compile_one: Callable[[Unit], str], named: tuple[str, tuple[str, ...]]) -> str:
    """The object file of an instruction set, or "" where the compiler is too old to know it."""
    name, flags = named
    try:
        return compile_one(("kernels.c", name, [f"-DISA_{name.upper()}", *flags]))
    except subprocess.CalledProcessError as error:
        if name == "avx2":
            raise
        print(f"{name}: {error.stderr.decode(errors='replace')[:500]}", file=sys.stderr)
        return ""


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _has_zig() -> bool:
    try:
        import ziglang  # noqa: F401
    except ImportError:
        return False
    return True


if __name__ == "__main__" and sys.argv[1:] == ["--targets"]:
    print(*TARGETS)
elif __name__ == "__main__":
    print(compile_library(Path(__file__).parent) or "nothing compiled")
