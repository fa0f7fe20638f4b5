"""Compiles the native engine as the package is built: `pip install .`, and in place where it is
installed editable. Run by hand, `python hatch_build.py` compiles in place, too.

The compiler is CC, or cc, gcc or clang; on a machine with none, `ziglang` from PyPI. Where nothing
compiles, the wheel is a pure one, which runs on ONNX Runtime. Environment:

QINGYU_NATIVE    "no": do not compile; "must": fail where nothing compiles
QINGYU_TARGET    compile for another system by zig: a key of TARGETS
QINGYU_SANITIZE  e.g. "address,undefined": a library to be tested, not to be used
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand
    BuildHookInterface = object  # type: ignore[assignment, misc]

NATIVE = Path("src/qingyu/engine/native")
SOURCES = ("engine.c", "forward.c", "pool.c")
FLAGS = (
    "-O3", "-std=c11", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-fno-math-errno",
    "-fno-strict-aliasing", "-D_GNU_SOURCE", "-Wall", "-Wextra",
)  # fmt: skip
# kernels.c is compiled once for each instruction set of a CPU; engine.c is told which there are.
SETS = {
    "x86_64": {"avx2": ("-mavx2", "-mfma")},
    "aarch64": {},
}
# name -> zig's name, the wheel's platform, the CPU
TARGETS = {
    "linux-x86_64": ("x86_64-linux-gnu.2.17", "manylinux_2_17_x86_64", "x86_64"),
    "linux-aarch64": ("aarch64-linux-gnu.2.17", "manylinux_2_17_aarch64", "aarch64"),
    "macos-x86_64": ("x86_64-macos.11.0", "macosx_11_0_x86_64", "x86_64"),
    "macos-arm64": ("aarch64-macos.11.0", "macosx_11_0_arm64", "aarch64"),
    "windows-x86_64": ("x86_64-windows-gnu", "win_amd64", "x86_64"),
}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
LIBRARIES = {"windows": "qingyu_native.dll", "macos": "libqingyu_native.dylib"}
SYSTEMS = {"Windows": "windows", "Darwin": "macos"}


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Adds the compiled library to a wheel, and its platform to the wheel's name."""

    def dependencies(self) -> list[str]:
        """What building needs beside hatchling, on this machine."""
        wanted = self.target_name == "wheel" and os.environ.get("QINGYU_NATIVE") != "no"
        return ["ziglang>=0.13"] if wanted and not compilers() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version
        if self.target_name != "wheel":
            return
        library = compile_library(Path(self.root))
        if library is None:
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{wheel_platform()}"
        build_data["artifacts"].append(f"/{NATIVE.as_posix()}/{library.name}")


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
            return _compiled(root / NATIVE, compiler)
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


def _compiled(native: Path, compiler: list[str]) -> Path:
    target = os.environ.get("QINGYU_TARGET", "")
    system = target.partition("-")[0] or SYSTEMS.get(platform.system(), "linux")
    machine = TARGETS[target][2] if target else platform.machine().lower()
    sets = SETS.get(MACHINES.get(machine, machine), {})
    sanitize = os.environ.get("QINGYU_SANITIZE")
    extra = [f"-fsanitize={sanitize}", "-g", "-fno-omit-frame-pointer"] if sanitize else []
    library = native / LIBRARIES.get(system, "libqingyu_native.so")
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        commands = []
        for number, (source, flags) in enumerate(_units(sets)):
            objects.append(str(Path(folder) / f"{number}.o"))
            path = str(native / "kernels" / source)
            commands.append([*compiler, *FLAGS, *extra, *flags, "-c", path, "-o", objects[-1]])
        with ThreadPoolExecutor() as pool:
            list(pool.map(_run, commands))
        made = Path(folder) / library.name
        libraries = [] if system == "windows" else ["-lm", "-lpthread"]
        strip = [] if sanitize or system == "macos" else ["-s"]
        _run([*compiler, "-shared", *strip, *extra, *objects, "-o", str(made), *libraries])
        shutil.copy(made, beside := library.with_name(library.name + ".new"))
        beside.replace(library)
    return library


def _units(sets: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, list[str]]]:
    """(source file, its flags)"""
    yield "kernels.c", ["-DISA_PLAIN"]
    for name, flags in sets.items():
        yield "kernels.c", [f"-DISA_{name.upper()}", *flags]
    for source in SOURCES:
        yield source, [f"-DQY_{name.upper()}" for name in sets]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _has_zig() -> bool:
    try:
        import ziglang  # noqa: F401
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    print(compile_library(Path(__file__).parent) or "nothing compiled")
