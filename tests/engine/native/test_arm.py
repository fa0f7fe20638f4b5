"""selftest.c on ARM64 CPUs that this machine is not: compiled by zig, run by qemu."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ZIG = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-musl"]
ROUNDS = "12"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang is missing"),
    pytest.mark.skipif(shutil.which("qemu-aarch64") is None, reason="qemu-aarch64 is missing"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """selftest.c and the kernels as the package compiles them, in one program without libraries."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    hatch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hatch)
    folder, kernels = tmp_path_factory.mktemp("arm"), ROOT / hatch.NATIVE / "kernels"
    sets = hatch.ZIG_SETS["aarch64"]
    told = [f"-DQY_{name.upper()}" for name in sets]
    units = [(kernels / source, source, told) for source in hatch.SOURCES]
    units += [(kernels / "kernels.c", "plain", ["-DISA_PLAIN"])]
    units += [
        (kernels / "kernels.c", name, [f"-DISA_{name.upper()}", *flags])
        for name, flags in sets.items()
    ]
    objects = [str(folder / f"{name}.o") for _, name, _ in units]
    for (source, _, flags), made in zip(units, objects, strict=True):
        command = [*ZIG, *hatch.FLAGS, *flags, "-c", str(source), "-o", made]
        subprocess.run(command, check=True)
    program = folder / "selftest"
    test = [str(HERE / "selftest.c"), "-std=c11", "-D_GNU_SOURCE", "-O1"]
    subprocess.run([*ZIG, "-static", *test, *objects, "-lm", "-o", str(program)], check=True)
    return program


@pytest.mark.parametrize(
    ("cpu", "sets"),
    [
        ("max", ["i8mm", "dotprod", "plain"]),
        ("neoverse-n1", ["dotprod", "plain"]),
        ("cortex-a53", ["plain"]),
    ],
)
def test_every_set_that_a_cpu_has(program: Path, cpu: str, sets: list[str]) -> None:
    """The sets are those that the CPU has, found as the process starts; products are exact, matrix
    products the dot product's to the last bit, answers the same alone and in company.
    """
    command = ["qemu-aarch64", "-cpu", cpu, str(program), ROUNDS, "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[2:] == sets
