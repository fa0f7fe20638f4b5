"""Wheels for other systems, as `make wheels` has zig compile them: one of each kind of library."""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SELFTEST = ROOT / "tests" / "engine" / "native" / "selftest.c"
SYSROOT = Path("/usr/aarch64-linux-gnu")  # Debian's libc6-arm64-cross
QEMU = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
LIBRARY_BYTES = 1 << 20
ROUNDS = "5"
# target -> the wheel's platform, the library, and where which bytes tell its format and CPU
KINDS = {
    "linux-aarch64": (
        "manylinux_2_17_aarch64", "libqingyu_native.so", {0: b"\x7fELF", 18: b"\xb7\x00"},
    ),
    "macos-arm64": (
        "macosx_11_0_arm64", "libqingyu_native.dylib", {0: b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01"},
    ),
    "windows-x86_64": ("win_amd64", "qingyu_native.dll", {0: b"MZ"}),
}  # fmt: skip

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def zig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with zig and what builds wheels."""
    folder = tmp_path_factory.mktemp("zig") / "venv"
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
    subprocess.run([*pip, "install", "ziglang>=0.13", "hatchling>=1.25"], check=True)
    return python


@pytest.fixture(scope="module")
def wheel(zig: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`wheel(target)`: the wheel for a system."""

    def made(target: str) -> Path:
        folder = tmp_path_factory.mktemp("wheels")
        environment = os.environ | {"QINGYU_NATIVE": "must", "QINGYU_TARGET": target}
        command = [zig, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", ROOT]
        command += ["--no-build-isolation", "--no-deps", "--wheel-dir", folder]
        subprocess.run(command, check=True, env=environment)
        (path,) = folder.iterdir()
        return path

    return cache(made)


@pytest.mark.parametrize("target", KINDS)
def test_a_wheel_for_another_system(target: str, wheel: Callable[[str], Path]) -> None:
    """It is called after its system, carries that system's library alone, stripped, and needs no
    ONNX Runtime."""
    platform, name, marks = KINDS[target]
    path = wheel(target)
    assert path.name.endswith(f"-py3-none-{platform}.whl")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        (about,) = (one for one in names if one.endswith(".dist-info/WHEEL"))
        (needs,) = (one for one in names if one.endswith(".dist-info/METADATA"))
        assert f"Tag: py3-none-{platform}" in archive.read(about).decode().splitlines()
        required = archive.read(needs).decode().splitlines()
        assert not [one for one in required if one.startswith("Requires-Dist: onnxruntime")
                    and "extra ==" not in one]  # fmt: skip
        compiled = [one for one in names if one.endswith((".so", ".dylib", ".dll"))]
        assert compiled == [f"qingyu/engine/native/{name}"]
        library = archive.read(compiled[0])
    for at, mark in marks.items():
        assert library[at : at + len(mark)] == mark
    assert len(library) <= LIBRARY_BYTES
    assert b".debug_info" not in library


@pytest.mark.skipif(
    QEMU is None or not SYSROOT.exists(), reason="no qemu-aarch64, or no libc for it"
)
def test_the_library_for_arm_works(wheel: Callable[[str], Path], zig: Path, tmp_path: Path) -> None:
    """Under qemu the engine's own test finds its products exact and its answers the same in any
    company."""
    with zipfile.ZipFile(wheel("linux-aarch64")) as archive:
        library = archive.read("qingyu/engine/native/libqingyu_native.so")
    (made := tmp_path / "libqingyu_native.so").write_bytes(library)
    program = tmp_path / "selftest"
    compiler: list[str | Path] = [zig, "-m", "ziglang", "cc", "-target", "aarch64-linux-gnu.2.17"]
    compiler += ["-O1", "-std=c11", "-D_GNU_SOURCE"]
    subprocess.run([*compiler, SELFTEST, made, "-o", program, "-lm", "-lpthread"], check=True)
    done = subprocess.run(
        [str(QEMU), "-L", SYSROOT, "-E", f"LD_LIBRARY_PATH={tmp_path}", program, ROUNDS, "7"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"dotprod", "plain"} <= set(done.stdout.split())
