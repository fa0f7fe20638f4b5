"""State of the registry: names, their bundles, and the models in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from qingyu.bundle import MANIFEST, Manifest
from qingyu.numbers import FloatArray
from qingyu.query import Cost, Query, Steps
from qingyu.tasks.context import Context
from qingyu.text.tokenizer import Tokenizer

Stamp = tuple[int, int, int]


class ServedModel(Protocol):
    """What the service needs of a model; `qingyu.Model` is one."""

    @property
    def context(self) -> Context: ...
    @property
    def manifest(self) -> Manifest: ...
    @property
    def digest(self) -> str: ...
    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def memory_bytes(self) -> int: ...
    def steps(self, task: str, /, *args: Any, **parameters: Any) -> Steps[Any]: ...
    def cost(self, task: str, /, *args: Any, **parameters: Any) -> Cost: ...
    def run_batch(self, queries: Sequence[Query], /) -> list[FloatArray]: ...
    def with_phrases(self, *memories: Any) -> ServedModel: ...
    def equipped(self, *own: Any) -> ServedModel: ...
    def close(self) -> None: ...


@dataclass(eq=False)
class Loaded:
    """A model in memory and how many use it; `gone` is set when its memory is given back."""

    model: ServedModel
    bytes: int
    stamp: Stamp | None
    leases: int = 0
    retired: bool = False
    closing: asyncio.Future[None] | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class Slot:
    """A name, the folder behind it, and the model loaded from there, if any.

    `bad_stamp` remembers a changed bundle that would not load, so that it is tried once.
    """

    name: str
    path: Path
    loaded: Loaded | None = None
    loading: asyncio.Future[None] | None = None
    used_at: float = 0.0
    bad_stamp: Stamp | None = None


@dataclass(frozen=True)
class BundleState:
    """A bundle as the service sees it now."""

    name: str
    manifest: Manifest
    loaded: bool
    memory_bytes: int
    pinned: bool


def stamp(path: Path) -> Stamp | None:
    """Identifies a version of a bundle on disk: changes when it is replaced; None if absent."""
    try:
        info = (path / MANIFEST).stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size, info.st_ino
