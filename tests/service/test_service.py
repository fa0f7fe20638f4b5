"""From call to answer on one event loop, with a fake model whose batches are held back at will."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qingyu.bundle import HeadInfo, Manifest, Sizes, read_manifest, write_manifest
from qingyu.errors import DeadlineError, InputError, NoMaskError, OverloadedError
from qingyu.numbers import FloatArray
from qingyu.query import Cost, Query
from qingyu.service.calls import Call
from qingyu.service.errors import InferenceError, ItemError, RequestTooLargeError
from qingyu.service.registry import Registry
from qingyu.service.scheduler import Scheduler
from qingyu.service.service import Service
from tests.support.models import FakeModel


class SayingModel(FakeModel):
    """Task "say" answers its text after `rounds` visits to the model; "!" in a text is an error."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.queries = 0
        self.rows: list[int] = []

    def steps(self, task: str, /, *inputs: Any, **parameters: Any) -> Any:
        return getattr(self, task)(inputs[0], **parameters)

    def cost(self, task: str, /, *inputs: Any, **parameters: Any) -> Cost:
        return Cost(len(inputs[0]) + 2, 6 * len(inputs[0]))

    def say(self, text: str, rounds: int = 1, rows: int = 1) -> Any:
        if "!" in text:
            raise NoMaskError
        ids = np.zeros(max(1, len(text)), np.int64)
        for _ in range(rounds):
            (answer,) = yield [Query(ids, ids, np.zeros(rows, np.int64))]
            assert answer.shape == (rows, 1)
        return {"text": text, "float": np.float32(0.5).item()}

    def nothing(self, text: str) -> Any:
        assert (yield []) == []
        return text

    def broken(self, text: str) -> Any:
        yield [Query(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))]
        raise KeyError(text)

    def nan(self, text: str) -> Any:
        yield [Query(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))]
        return float("nan")

    def run_batch(self, queries: Sequence[Query]) -> list[FloatArray]:
        self.pass_gate()
        self.queries += len(queries)
        self.rows.append(sum(len(query.positions) for query in queries))
        return [np.zeros((len(query.positions), 1), np.float32) for query in queries]


def say(text: str, **parameters: int) -> Call:
    return Call("say", (text,), tuple(sorted(parameters.items())))


class Bench:
    def __init__(self, service: Service, models: list[SayingModel]) -> None:
        self.service = service
        self._models = models

    @property
    def model(self) -> SayingModel:
        return self._models[-1]

    async def ask(self, *calls: Call, **options: Any) -> list[Any]:
        answers = await self.service.answer("m", calls, **options)
        return [json.loads(answer.body) for answer in answers]

    async def entered(self) -> None:
        assert await asyncio.to_thread(self.model.entered.wait, 10)

    async def settled(self) -> None:
        await until(lambda: not (self.service.scheduler.queued_tokens or self.service._inflight))


LIMITS = {"max_batch_tokens": 512, "max_queue_tokens": 1024, "max_request_tokens": 65_536}


@asynccontextmanager
async def bench(folder: Path, *, cache: int = 1 << 20, **limits: int) -> AsyncIterator[Bench]:
    path = folder / "m"
    path.mkdir(exist_ok=True)
    sizes = Sizes(10, 8, 1, 1, 16, 512, 1000)
    head = {"fill-mask": HeadInfo("head.onnx", "masked-lm")}
    write_manifest(Manifest("m", "bert", "int8", sizes, head, {}), path)
    models: list[SayingModel] = []

    def load(path: Path) -> SayingModel:
        models.append(SayingModel(path))
        return models[-1]

    service = Service(
        Registry(load, [folder]),
        lambda deliver: Scheduler(deliver, **{**LIMITS, **limits}),  # type: ignore[arg-type]
        max_answer_bytes=1 << 20,
        cache_bytes=cache,
    )
    await service.start()
    service.registry.release(await service.registry.lease("m"))
    try:
        yield Bench(service, models)
    finally:
        models[-1].gate.set()
        await service.stop()
        assert all(model.closed for model in models)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.001)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))  # type: ignore[arg-type]


def test_answers_come_in_the_order_of_the_calls(tmp_path: Path) -> None:
    """Texts, rounds and tasks mixed: each call gets its own answer."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            calls = [say("很" * n, rounds=1 + n % 3) for n in range(1, 30)]
            found = await b.ask(*calls, Call("nothing", ("空",)))
            assert [one["text"] for one in found[:-1]] == ["很" * n for n in range(1, 30)]
            assert found[-1] == "空"

    run(test)


def test_tokens_are_those_of_all_rounds(tmp_path: Path) -> None:
    """What an answer cost is the sum of what the model read for it."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            (answer,) = await b.service.answer("m", [say("12345", rounds=3)])
            assert answer.tokens == 15

    run(test)


def test_an_answer_is_kept_and_a_different_question_is_not_served_it(tmp_path: Path) -> None:
    """The key is model, task, parameters and text; change one and it is computed."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            for calls, queries in [
                ([say("a")], 1),
                ([say("a")], 1),
                ([say("a", rounds=2)], 3),
                ([say("b")], 4),
                ([say("b"), say("b"), say("c")], 5),
            ]:
                await b.ask(*calls)
                assert b.model.queries == queries

    run(test)


def test_another_version_of_a_model_has_its_own_answers(tmp_path: Path) -> None:
    """After a bundle has changed nothing of the old one is served."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            await b.ask(say("a"))
            manifest = read_manifest(tmp_path / "m")
            sizes = manifest.sizes
            write_manifest(Manifest("m", "bert", "fp32", sizes, manifest.heads, {}), tmp_path / "m")
            await b.service.registry.refresh()
            await b.ask(say("a"))
            assert b.model.queries == 1

    run(test)


def test_identical_requests_under_way_share_one_computation(tmp_path: Path) -> None:
    """Those who come while it is computed wait for it, also within one request."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            b.model.gate.clear()
            asked = [asyncio.ensure_future(b.ask(say("a"), say("a"))) for _ in range(5)]
            await b.entered()
            b.model.gate.set()
            assert len({json.dumps(found) for found in await asyncio.gather(*asked)}) == 1
            assert b.model.queries == 1
            assert b.service.shared == 9

    run(test)


def test_what_one_client_leaves_another_still_gets(tmp_path: Path) -> None:
    """The first to ask goes away; the computation goes on for who shares it."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            b.model.gate.clear()
            first = asyncio.ensure_future(b.ask(say("a")))
            await b.entered()
            second = asyncio.ensure_future(b.ask(say("a")))
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.sleep(0)
            b.model.gate.set()
            assert (await second)[0]["text"] == "a"
            assert first.cancelled()
            assert b.model.queries == 1

    run(test)


def test_what_nobody_waits_for_is_given_up(tmp_path: Path) -> None:
    """Once all have left, what waits is skipped and forgotten, and leases end."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            b.model.gate.clear()
            running = asyncio.ensure_future(b.ask(say("a")))
            await b.entered()
            waiting = [asyncio.ensure_future(b.ask(say("b"))) for _ in range(3)]
            await asyncio.sleep(0.01)
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            await asyncio.sleep(0)
            b.model.gate.set()
            await running
            await b.settled()
            assert b.model.queries == 1
            assert b.service.scheduler.stats.departed == 1
            lease = b.service.registry.lease_loaded("m")
            assert lease is not None
            assert lease.leases == 1
            b.service.registry.release(lease)

    run(test)


def test_a_request_cancelled_before_it_began_leaves_nothing_behind(tmp_path: Path) -> None:
    """Cancelling at once, before the computation's first step, still frees lease and key."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            asked = asyncio.ensure_future(b.ask(say("a")))
            await asyncio.sleep(0)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            await b.settled()
            assert (await b.ask(say("a")))[0]["text"] == "a"
            await b.service.registry.unload("m")

    run(test)


def test_a_bad_text_among_good_ones_is_named(tmp_path: Path) -> None:
    """The request fails with the place and the code; alone, with the error itself."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            with pytest.raises(ItemError, match="第 2 条") as told:
                await b.ask(say("a"), say("!"), say("b"))
            assert told.value.code == "no_mask"
            with pytest.raises(NoMaskError):
                await b.ask(say("!"))

    run(test)


def test_a_bad_text_harms_nobody_who_shares_its_request(tmp_path: Path) -> None:
    """A second request that waits for a good text of the failing one still gets it."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            b.model.gate.clear()
            good = say("a")
            bad = asyncio.ensure_future(b.ask(good, say("!")))
            other = asyncio.ensure_future(b.ask(good))
            await b.entered()
            b.model.gate.set()
            with pytest.raises(ItemError):
                await bad
            assert (await other)[0]["text"] == "a"

    run(test)


@pytest.mark.parametrize("task", ["broken", "nan"])
def test_a_task_that_breaks_is_an_error_of_its_own(
    tmp_path: Path, task: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault in a task is logged and told as a failed inference; the service goes on."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            with pytest.raises(InferenceError):
                await b.ask(Call(task, ("a",)))
            assert await b.ask(say("a"))

    run(test)
    assert caplog.records


def test_wrong_parameters_are_the_clients_fault(tmp_path: Path) -> None:
    """An InputError from starting a task goes through unchanged."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            b.model.say = lambda text: (_ for _ in ()).throw(InputError("错", "wrong"))  # type: ignore[assignment, method-assign, misc]
            with pytest.raises(InputError, match="wrong"):
                await b.ask(say("a"))

    run(test)


def test_a_full_queue_refuses_before_tokenising(tmp_path: Path) -> None:
    """With no room the request costs nothing at all."""

    async def test() -> None:
        async with bench(tmp_path, max_queue_tokens=8) as b:
            b.model.gate.clear()
            asked = [asyncio.ensure_future(b.ask(say("a")))]
            await b.entered()
            asked += [asyncio.ensure_future(b.ask(say("很" * (n + 1)))) for n in range(9)]
            await until(lambda: b.service.scheduler.queued_tokens >= 8)
            b.model.steps = lambda *_: pytest.fail("tokenised")  # type: ignore[method-assign]
            with pytest.raises(OverloadedError):
                await b.ask(say("x"))
            b.model.gate.set()
            found = await asyncio.gather(*asked, return_exceptions=True)
            assert any(isinstance(one, OverloadedError) for one in found)
            assert any(isinstance(one, list) for one in found)

    run(test)


def test_of_many_that_come_at_once_only_those_let_in_are_tokenised(tmp_path: Path) -> None:
    """Places are taken before texts are read: what is refused costs nothing, however many come in
    one turn of the event loop."""

    async def test() -> None:
        async with bench(tmp_path, max_queue_tokens=32) as b:
            b.model.gate.clear()
            begun = []
            steps = b.model.steps
            b.model.steps = lambda *a, **k: begun.append(a) or steps(*a, **k)  # type: ignore[method-assign]
            asked = [asyncio.ensure_future(b.ask(say(f"{n}"))) for n in range(100)]
            await until(lambda: sum(one.done() for one in asked) > 60)
            refused = [one for one in asked if one.done()]
            assert len(begun) + len(refused) == 100
            b.model.gate.set()
            found = await asyncio.gather(*asked, return_exceptions=True)
            assert sum(isinstance(one, OverloadedError) for one in found) == len(refused)
            assert b.service.scheduler.admission.held == 0

    run(test)


def test_a_deadline_in_a_later_round_names_the_whole_time(tmp_path: Path) -> None:
    """A task that asks the model again after its time is up is told the time it had, not what was
    left of it."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            now = b.service.scheduler.clock()
            b.service.scheduler.clock = lambda: now
            b.model.gate.clear()
            asked = asyncio.ensure_future(b.ask(say("a", rounds=3), timeout=5))
            await b.entered()
            now += 60
            b.model.gate.set()
            with pytest.raises(DeadlineError, match=r"deadline of 5 s"):
                await asked

    run(test)


def test_too_many_tokens_in_all_are_refused_for_good(tmp_path: Path) -> None:
    """The limit of a request counts all its texts."""

    async def test() -> None:
        async with bench(tmp_path, max_request_tokens=100) as b:
            with pytest.raises(RequestTooLargeError):
                await b.ask(*[say("很" * 30 + str(n)) for n in range(4)])
            assert b.model.queries == 0

    run(test)


def test_the_answers_held_at_once_are_bounded(tmp_path: Path) -> None:
    """Many texts that each ask for many rows are computed in turns, and all come back."""

    async def test() -> None:
        async with bench(tmp_path) as b:
            found = await b.ask(*[say(str(n), rows=100, rounds=2) for n in range(20)])
            assert len(found) == 20
            assert max(b.model.rows) <= 256
            assert sum(b.model.rows) == 20 * 2 * 100

    run(test)


def test_without_a_cache_nothing_is_shared(tmp_path: Path) -> None:
    """Switched off, each request is computed by itself."""

    async def test() -> None:
        async with bench(tmp_path, cache=0) as b:
            await asyncio.gather(*[b.ask(say("a")) for _ in range(4)])
            await b.ask(say("a"), say("a"))
            assert b.model.queries == 6

    run(test)
