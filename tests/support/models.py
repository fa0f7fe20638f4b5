"""A model that has a bundle's manifest and computes nothing: what stand-ins have in common."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qingyu.bundle import read_manifest
from qingyu.numbers import FloatArray
from qingyu.query import Cost, Query, Steps


class FakeModel:
    """Loaded from a folder with a manifest alone. `gate` holds batches back while it is clear, and
    `entered` tells that one has come; closed once only."""

    memory_bytes = 1000

    def __init__(self, path: Path) -> None:
        self.manifest = read_manifest(path)
        self.digest = self.manifest.digest
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    def steps(self, task: str, /, *inputs: Any, **parameters: Any) -> Steps[Any]:
        raise NotImplementedError

    def cost(self, task: str, /, *inputs: Any, **parameters: Any) -> Cost:
        raise NotImplementedError

    def run_batch(self, queries: Sequence[Query], /) -> list[FloatArray]:
        raise NotImplementedError

    def pass_gate(self) -> None:
        self.entered.set()
        assert self.gate.wait(30)

    def close(self) -> None:
        assert not self.closed
        self.closed = True
