"""Qingyu: the bundle that `qingyu build` made of the checkpoint, through the Python API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def load(checkpoint: Path, variant: str, threads: int) -> Callable[[list[str]], list[int]]:
    import qingyu

    bundle = checkpoint.parent / f"{checkpoint.name}.qingyu-{variant}"
    if not bundle.exists():
        build(checkpoint, bundle, variant)
    model = qingyu.load(bundle, threads=threads)

    def fill(texts: list[str]) -> list[int]:
        results = model.fill_mask(texts, top_k=5)
        return [result.masks[0].candidates[0].token_id for result in results]

    return fill


def build(checkpoint: Path, bundle: Path, variant: str) -> None:
    """In a process of its own, so that building leaves no trace in the memory measured."""
    import subprocess
    import sys

    code = (
        "import sys; from qingyu.build.pipeline import Options, build;"
        "build(sys.argv[1], sys.argv[2], Options(sys.argv[3], min_agreement=0, measure=False))"
    )
    subprocess.run([sys.executable, "-c", code, checkpoint, bundle, variant], check=True)
