"""Many bundles in a bounded memory: loaded on first use, least recently used out first.

The sum of what is loaded, being loaded and being closed is kept under the budget: a load reserves
its estimate before it starts. Whoever uses a model holds a lease, and a model leaves memory when
its last lease has ended. All of this happens on one event loop; loading and closing, which take
long, in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qingyu.bundle import MANIFEST, Manifest, read_manifest, verify
from qingyu.errors import BundleError, MemoryBudgetError, ModelNotFoundError, QingyuError

from .errors import ModelPinnedError
from .slots import BundleState, Loaded, ServedModel, Slot, stamp

log = logging.getLogger("qingyu.service")

WORKSPACE_BYTES = 48 << 20  # activations and what the runtime keeps, beside the weights
MAX_NAME = 200

InThread = Callable[..., Awaitable[Any]]


def estimate(manifest: Manifest) -> int:
    """Bytes a bundle is expected to take once loaded."""
    return manifest.bytes + WORKSPACE_BYTES


def one_thread() -> InThread:
    """A thread for loading and closing: one at a time, so that no more memory is taken than was
    reserved, and what is freed lies in one arena of the heap, from where it can be returned."""
    pool = ThreadPoolExecutor(1, "qingyu-load")

    async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)

    return in_thread


@dataclass(eq=False)
class Registry:
    """Bundles by name.

    load:        from a bundle's folder to a model, synchronous; raises BundleError
    folders:     where bundles are; a name is a folder directly inside one of them, nothing else
    extra:       bundles from elsewhere that the operator named
    budget:      bytes, or None for no bound
    pinned:      names that are never unloaded
    patience:    seconds to wait until models in use make room
    after_close: called in a thread once a model is closed, to return its memory to the system
    """

    load: Callable[[Path], ServedModel]
    folders: Sequence[Path]
    extra: dict[str, Path] = field(default_factory=dict)
    budget: int | None = None
    pinned: frozenset[str] = frozenset()
    patience: float = 10.0
    estimate: Callable[[Manifest], int] = estimate
    after_close: Callable[[], object] = int
    in_thread: InThread = field(default_factory=one_thread)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.used = 0
        self.loads = 0
        self.evictions = 0
        self._slots: dict[str, Slot] = {}
        self._waiting: set[asyncio.Future[None]] = set()

    # -- using ------------------------------------------------------------------------------------

    def lease_loaded(self, name: str) -> Loaded | None:
        """A lease at once, if the model is in memory. Give it back with `release`."""
        slot = self._slots.get(name)
        if slot is None or slot.loaded is None:
            return None
        slot.used_at = self.clock()
        slot.loaded.leases += 1
        return slot.loaded

    async def lease(self, name: str) -> Loaded:
        """A lease on a model, loaded first if need be; it is loaded once, however many ask.

        Raises ModelNotFoundError, BundleError, MemoryBudgetError.
        """
        while (loaded := self.lease_loaded(name)) is None:
            await asyncio.shield(self._loading(self._slot(name)))
        return loaded

    def release(self, loaded: Loaded) -> None:
        loaded.leases -= 1
        if not loaded.leases:
            if loaded.retired:
                self._close(loaded)
            self._wake()

    async def unload(self, name: str) -> None:
        """Take a model out of memory; returns when its memory is given back.

        Raises ModelNotFoundError, ModelPinnedError.
        """
        slot = self._slot(name)
        if name in self.pinned:
            raise ModelPinnedError(name)
        if slot.loading is not None:
            await asyncio.wait([slot.loading])
        if slot.loaded is not None:
            await self._retire(slot, slot.loaded).gone.wait()

    async def close(self) -> None:
        """Unload everything, pinned or not; no requests may come afterwards."""
        for slot in list(self._slots.values()):
            if slot.loading is not None:
                await asyncio.wait([slot.loading])
            if slot.loaded is not None:
                await self._retire(slot, slot.loaded).gone.wait()

    async def refresh(self) -> None:
        """Load anew what changed on disk; requests under way finish on what they started with.

        A changed bundle that cannot be loaded is reported once, and the old one keeps serving.
        """
        for slot in list(self._slots.values()):
            old, now = slot.loaded, stamp(slot.path)
            if old is None or now is None or now in (old.stamp, slot.bad_stamp):
                continue
            try:
                await self._reload(slot, old)
            except (QingyuError, OSError) as error:
                slot.bad_stamp = now
                log.warning("model %s changed but cannot be loaded: %s", slot.name, error)

    # -- knowing ----------------------------------------------------------------------------------

    def states(self) -> list[BundleState]:
        """All bundles there are, by name; one that cannot be read is left out."""
        names = set(self.extra)
        for folder in self.folders:
            names.update(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))
        states = []
        for name in sorted(names):
            try:
                states.append(self.state(name))
            except (BundleError, ModelNotFoundError):
                continue
        return states

    def state(self, name: str) -> BundleState:
        """Raises ModelNotFoundError, BundleError."""
        slot = self._slot(name)
        loaded = slot.loaded
        manifest = loaded.model.manifest if loaded else read_manifest(slot.path)
        memory = loaded.bytes if loaded else 0
        return BundleState(name, manifest, loaded is not None, memory, name in self.pinned)

    def memory(self) -> dict[str, int]:
        """Bytes by name of what is loaded."""
        return {name: slot.loaded.bytes for name, slot in self._slots.items() if slot.loaded}

    def _slot(self, name: str) -> Slot:
        slot = self._slots.get(name)
        if slot is None:
            slot = self._slots[name] = Slot(name, self._path(name))
        return slot

    def _path(self, name: str) -> Path:
        if name in self.extra:
            return self.extra[name]
        # Only a plain name: what a client sends can never point outside the folders.
        plain = Path(name).name == name not in {"", ".."} and name.isprintable()
        if plain and len(name.encode()) <= MAX_NAME:
            for folder in self.folders:
                if (folder / name / MANIFEST).is_file():
                    return folder / name
        raise ModelNotFoundError(
            f"没有名为 {name[:80]!r} 的模型，可用的模型见 /v1/models。",
            f"There is no model named {name[:80]!r}; /v1/models lists those there are.",
        )

    # -- loading ----------------------------------------------------------------------------------

    def _loading(self, slot: Slot) -> asyncio.Future[None]:
        """The one load under way for a slot, started now if there is none."""
        if slot.loading is None:
            slot.loading = asyncio.ensure_future(self._load_into(slot))
            slot.loading.add_done_callback(lambda done: done.cancelled() or done.exception())
        return slot.loading

    async def _load_into(self, slot: Slot) -> None:
        try:
            slot.loaded = await self._load(slot)
            slot.used_at = self.clock()
        finally:
            slot.loading = None
        await self._shrink(slot)

    async def _load(self, slot: Slot) -> Loaded:
        seen = stamp(slot.path)
        reserved = self.estimate(read_manifest(slot.path))
        await self._reserve(slot, reserved)
        try:
            model = await self.in_thread(self.load, slot.path)
        except BaseException:
            self._free(reserved)
            raise
        self.loads += 1
        self.used += model.memory_bytes - reserved
        self._wake()
        return Loaded(model, model.memory_bytes, seen)

    async def _reload(self, slot: Slot, old: Loaded) -> None:
        seen, manifest = stamp(slot.path), read_manifest(slot.path)
        if manifest.digest == old.model.digest:
            old.stamp = seen
            return
        await self.in_thread(verify, manifest)
        try:
            new = await self._load(slot)
        except MemoryBudgetError:  # no room for both: who asks next waits for the new one
            new = None
        if slot.loaded is old:
            self._retire(slot, old)
            slot.loaded = new
        elif new is not None:  # unloaded or evicted meanwhile
            new.retired = True
            self._close(new)

    async def _reserve(self, slot: Slot, need: int) -> None:
        """Make room and take it; nothing is awaited between the last look and the taking."""
        end = self.clock() + self.patience
        while self.budget is not None and self.used + need > self.budget:
            if await self._evict_one(slot):
                continue
            left = end - self.clock()
            fixed = sum(s.loaded.bytes for s in self._fixed(slot) if s.loaded)
            if left <= 0 or fixed + need > self.budget:
                raise MemoryBudgetError(
                    f"模型 {slot.name} 需要 {need >> 20} MB，内存预算 {self.budget >> 20} MB "
                    "容不下；请卸载其他模型或提高 --memory-budget。",
                    f"Model {slot.name} needs {need >> 20} MB, which the memory budget of "
                    f"{self.budget >> 20} MB cannot hold; unload others or raise --memory-budget.",
                )
            await self._changed(left)
        self.used += need

    async def _shrink(self, slot: Slot) -> None:
        """A model that took more than its estimate: others make up for it."""
        while self.budget is not None and self.used > self.budget:
            if not await self._evict_one(slot):
                return

    def _fixed(self, slot: Slot) -> list[Slot]:
        return [s for s in self._slots.values() if s is slot or s.name in self.pinned]

    async def _evict_one(self, slot: Slot) -> bool:
        """Unload the least recently used model that nobody uses, other than `slot`'s own."""
        fixed = self._fixed(slot)
        idle = [
            (s.used_at, s.name, s, s.loaded)
            for s in self._slots.values()
            if s.loaded and not s.loaded.leases and s not in fixed
        ]
        if not idle:
            return False
        self.evictions += 1
        _, _, victim, loaded = min(idle)
        await self._retire(victim, loaded).gone.wait()
        return True

    async def _changed(self, timeout: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        await asyncio.wait([future], timeout=timeout)
        self._waiting.discard(future)

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def _free(self, size: int) -> None:
        self.used -= size
        self._wake()

    # -- leaving ----------------------------------------------------------------------------------

    def _retire(self, slot: Slot, loaded: Loaded) -> Loaded:
        """No new lease from here on; closes now, or when the last lease ends."""
        slot.loaded = None
        loaded.retired = True
        if not loaded.leases:
            self._close(loaded)
        return loaded

    def _close(self, loaded: Loaded) -> None:
        if loaded.closing is None:
            loaded.closing = asyncio.ensure_future(self._closed(loaded))

    async def _closed(self, loaded: Loaded) -> None:
        try:
            await self.in_thread(loaded.model.close)
        except Exception:
            log.exception("closing a model failed")
        finally:
            del loaded.model
            await self.in_thread(self.after_close)
            self._free(loaded.bytes)
            loaded.gone.set()
