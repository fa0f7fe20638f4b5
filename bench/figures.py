"""What every benchmark prints beside its figures, and how it sums them up."""

from __future__ import annotations

import platform
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

import onnxruntime

import qingyu
from qingyu.machine import available_cpus, read_cpu

ROOT = Path(__file__).parent.parent


def describe() -> str:
    """The machine, the versions and the commit that a figure belongs to."""
    cpu = read_cpu()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    return (
        f"{cpu.model} ({' '.join(cpu.features or ())}), {available_cpus()} CPUs\n"
        f"Python {platform.python_version()}, onnxruntime {onnxruntime.__version__}, "
        f"qingyu {qingyu.__version__} {commit}"
    )


def milliseconds(seconds: Sequence[float]) -> str:
    """Median, 95th percentile and best of some durations."""
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return (
        f"median {statistics.median(ordered) * 1e3:.2f} ms, P95 {p95 * 1e3:.2f} ms, "
        f"best {ordered[0] * 1e3:.2f} ms (n={len(ordered)})"
    )
