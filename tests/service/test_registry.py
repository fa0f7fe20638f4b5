"""The registry with fake models of fake sizes: no runtime, no real memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.bundle import (
    ENCODER,
    TOKENIZER,
    HeadInfo,
    Manifest,
    Sizes,
    file_info,
    write_manifest,
)
from qingyu.errors import BundleError, MemoryBudgetError, ModelNotFoundError
from qingyu.service.errors import ModelPinnedError
from qingyu.service.registry import Registry
from qingyu.service.slots import Loaded, ServedModel
from tests.support.models import FakeModel

SIZES = {"a": 100, "b": 200, "c": 300, "d": 400}


def write(folder: Path, name: str, note: str = "") -> None:
    path = folder / name
    path.mkdir(exist_ok=True)
    for file in (TOKENIZER, ENCODER, "head.onnx"):
        (path / file).write_bytes(b"x")
    manifest = Manifest(
        name=name,
        family="bert",
        precision="int8",
        sizes=Sizes(10, 8, 1, 1, 16, 512, 1000),
        heads={"fill-mask": HeadInfo("head.onnx", "masked-lm")},
        files={file: file_info(path / file) for file in (TOKENIZER, ENCODER, "head.onnx")},
        source=note,
    )
    write_manifest(manifest, path)


class SizedModel(FakeModel):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.memory_bytes = SIZES[path.name]


@dataclass
class Bench:
    """A registry whose slow work happens at once, and what it has loaded so far."""

    folder: Path
    budget: int | None = 600
    pinned: frozenset[str] = frozenset()
    models: list[SizedModel] = field(default_factory=list)
    fail: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.registry = Registry(
            load=self.load,
            folders=[self.folder],
            budget=self.budget,
            pinned=self.pinned,
            patience=0.2,
            estimate=lambda manifest: SIZES[manifest.name],
            in_thread=self.in_thread,
        )

    def load(self, path: Path) -> ServedModel:
        if path.name in self.fail:
            raise BundleError("坏了", "broken")
        model = SizedModel(path)
        self.models.append(model)
        self.check()
        return model  # type: ignore[return-value]

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        await asyncio.sleep(0)
        return function(*arguments)

    @property
    def alive(self) -> int:
        return sum(model.memory_bytes for model in self.models if not model.closed)

    def check(self) -> None:
        """What is in memory was reserved, and what is reserved is within the budget."""
        assert self.budget is None or self.alive <= self.registry.used <= self.budget

    async def use(self, name: str) -> None:
        self.registry.release(await self.registry.lease(name))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in SIZES:
        write(tmp_path, name)
    return tmp_path


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))  # type: ignore[arg-type]


def test_a_model_is_loaded_once_however_many_ask(folder: Path) -> None:
    """Requests that come while it loads wait for the one load."""
    bench = Bench(folder)

    async def test() -> None:
        leases = await asyncio.gather(*[bench.registry.lease("a") for _ in range(20)])
        assert len({id(lease) for lease in leases}) == 1
        assert bench.registry.loads == 1

    run(test)


def test_the_least_recently_used_makes_room(folder: Path) -> None:
    """Beyond the budget, what was not used for longest is unloaded, and its memory given back."""
    bench = Bench(folder)

    async def test() -> None:
        for name in ("a", "b", "c", "a", "d"):
            await bench.use(name)
        assert bench.registry.memory() == {"a": 100, "d": 400}
        assert bench.registry.used == bench.alive == 500

    run(test)


def test_pinned_models_stay(folder: Path) -> None:
    """A pinned model is neither evicted nor unloaded by request."""
    bench = Bench(folder, pinned=frozenset({"a"}))

    async def test() -> None:
        for name in ("a", "b", "c", "d"):
            await bench.use(name)
        assert set(bench.registry.memory()) == {"a", "d"}
        with pytest.raises(ModelPinnedError):
            await bench.registry.unload("a")

    run(test)


def test_a_model_in_use_is_waited_for(folder: Path) -> None:
    """Room is made when the last lease ends; the user is not disturbed."""
    bench = Bench(folder)

    async def test() -> None:
        first = await bench.registry.lease("c")
        coming = asyncio.ensure_future(bench.registry.lease("d"))
        await asyncio.sleep(0.05)
        assert not coming.done()
        assert not bench.models[0].closed
        bench.registry.release(first)
        await coming
        assert bench.models[0].closed
        bench.check()

    run(test)


def test_no_room_is_told_after_some_patience(folder: Path) -> None:
    """While everything is in use a load is refused, with the numbers."""
    bench = Bench(folder)

    async def test() -> None:
        await bench.registry.lease("c")
        with pytest.raises(MemoryBudgetError, match="memory-budget"):
            await bench.registry.lease("d")
        assert bench.registry.used == 300

    run(test)


def test_a_model_larger_than_the_budget_is_refused_at_once(folder: Path) -> None:
    """What can never fit does not wait, and evicts nobody's work for nothing it can hold."""
    bench = Bench(folder, budget=350, pinned=frozenset({"a"}))

    async def test() -> None:
        await bench.use("a")
        with pytest.raises(MemoryBudgetError):
            await bench.registry.lease("c")
        assert set(bench.registry.memory()) == {"a"}

    run(test)


def test_a_failed_load_gives_its_reservation_back(folder: Path) -> None:
    """A broken bundle is told to all who asked; later it may work again."""
    bench = Bench(folder, fail={"a"})

    async def test() -> None:
        asked = [bench.registry.lease("a") for _ in range(3)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, BundleError) for result in results)
        assert bench.registry.used == 0
        bench.fail.clear()
        await bench.use("a")

    run(test)


def test_unloading_waits_for_the_last_lease(folder: Path) -> None:
    """Nobody gets a new lease on it, and those who have one finish."""
    bench = Bench(folder)

    async def test() -> None:
        lease = await bench.registry.lease("a")
        going = asyncio.ensure_future(bench.registry.unload("a"))
        await asyncio.sleep(0.01)
        assert bench.registry.lease_loaded("a") is None
        assert not bench.models[0].closed
        bench.registry.release(lease)
        await going
        assert bench.models[0].closed
        assert bench.registry.used == 0

    run(test)


def test_a_changed_bundle_is_loaded_anew_without_dropping_a_request(folder: Path) -> None:
    """Requests under way finish on the old model; the next get the new one."""
    bench = Bench(folder)

    async def test() -> None:
        old = await bench.registry.lease("a")
        write(folder, "a", note="second")
        await bench.registry.refresh()
        new = await bench.registry.lease("a")
        assert new.model.digest != old.model.digest
        assert not bench.models[0].closed
        bench.registry.release(old)
        await old.gone.wait()
        assert bench.models[0].closed
        assert bench.registry.used == 100

    run(test)


def test_without_room_for_both_the_old_goes_first(folder: Path) -> None:
    """A reload that does not fit beside the old model makes those who come next wait for it."""
    bench = Bench(folder, budget=450)

    async def test() -> None:
        await bench.use("d")
        write(folder, "d", note="second")
        await bench.registry.refresh()
        lease = await bench.registry.lease("d")
        assert lease.model.manifest.source == "second"
        bench.check()

    run(test)


def test_a_bundle_corrupted_while_serving_is_not_loaded(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The old model goes on serving, and the failure is told once."""
    bench = Bench(folder)

    async def test() -> None:
        await bench.use("a")
        manifest = json.loads((folder / "a" / "manifest.json").read_text("utf-8"))
        manifest["files"] = {"weights.bin": {"bytes": 3, "sha256": "0" * 64}}
        (folder / "a" / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        for _ in range(3):
            await bench.registry.refresh()
        (folder / "a" / "manifest.json").write_text("{", "utf-8")
        for _ in range(3):
            await bench.registry.refresh()
        await bench.use("a")
        assert len(bench.models) == 1
        assert not bench.models[0].closed
        assert len(caplog.records) == 2

    run(test)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/../a", "/a", "a\0", "x" * 500, "e", "a/"]
)
def test_only_plain_names_inside_the_folder_are_known(folder: Path, name: str) -> None:
    """A name a client sends can never lead out of the folder of bundles."""
    bench = Bench(folder / "a" / "..")

    async def test() -> None:
        with pytest.raises(ModelNotFoundError):
            await bench.registry.lease(name)

    run(test)


operations = st.lists(
    st.tuples(
        st.sampled_from(
            ["lease", "release", "unload", "change", "refresh", "break", "mend", "wait"]
        ),
        st.sampled_from(sorted(SIZES)),
    ),
    max_size=40,
)


@given(script=operations, pinned=st.sampled_from([frozenset(), frozenset({"a"})]))
def test_memory_is_a_promise_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory,
    script: list[tuple[str, str]],
    pinned: frozenset[str],
) -> None:
    """Any sequence of operations, many at once: never over the budget, never a model closed under
    a lease, and in the end everything is given back."""
    folder = tmp_path_factory.mktemp("bundles")
    for name in SIZES:
        write(folder, name)
    bench = Bench(folder, pinned=pinned)
    bench.registry.patience = 0.01

    async def test() -> None:
        held: list[Loaded] = []
        under_way: list[asyncio.Future[Any]] = []

        async def lease(name: str) -> None:
            found = await bench.registry.lease(name)
            assert not found.retired
            held.append(found)

        for number, (what, name) in enumerate(script):
            if what == "lease":
                under_way.append(asyncio.ensure_future(lease(name)))
            elif what == "release" and held:
                bench.registry.release(held.pop())
            elif what == "unload":
                under_way.append(asyncio.ensure_future(bench.registry.unload(name)))
            elif what == "change":
                write(folder, name, note=str(number))
            elif what == "refresh":
                under_way.append(asyncio.ensure_future(bench.registry.refresh()))
            elif what == "break":
                bench.fail.add(name)
            elif what == "mend":
                bench.fail.discard(name)
            await asyncio.sleep(0.001 if what == "wait" else 0)
            bench.check()
            assert not any(getattr(loaded, "model").closed for loaded in held)  # noqa: B009
        while under_way or held:
            while held:
                bench.registry.release(held.pop())
            await asyncio.sleep(0)
            under_way = [one for one in under_way if not (one.done() and (one.exception() or True))]
            bench.check()
        await bench.registry.close()
        assert bench.registry.used == bench.alive == 0

    run(test)
