"""The application: everything put together from the settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from qingyu import bundle
from qingyu.engine.device import Device
from qingyu.errors import QingyuError
from qingyu.machine import available_cpus
from qingyu.service.admission import default_bound
from qingyu.service.equipment import Equipment
from qingyu.service.memory import give_back
from qingyu.service.phrases import PhraseStore
from qingyu.service.registry import Registry
from qingyu.service.scheduler import Scheduler
from qingyu.service.service import Service
from qingyu.service.slots import ServedModel
from qingyu.service.warm import warm
from qingyu.settings import Settings
from qingyu.web.api.direct import ROUTES, Direct, is_direct
from qingyu.web.edge.gate import Gate
from qingyu.web.edge.metrics import Metrics
from qingyu.web.edge.origins import Origins
from qingyu.web.edge.refusals import Refusals
from qingyu.web.edge.security import Keys, read_keys
from qingyu.web.edge.tracing import Traced, tracer_from_environment

from .state import State

log = logging.getLogger("qingyu.web")

MOST_LANES = 8


def create_app(
    settings: Settings, *, load: Callable[[Path], ServedModel] | None = None
) -> Application:
    """An ASGI application; its lifespan loads and warms the default model.

    `load` makes a model of a bundle's folder; by default it verifies the bundle and loads it.
    """
    default, extra = _default_model(settings)
    lanes, threads = lanes_and_threads(settings, available_cpus())
    registry = Registry(
        load=load or partial(_load, threads=threads, device=_device(settings)),
        folders=[*([settings.models] if settings.models else []), *bundle.folders()],
        extra=extra,
        budget=settings.memory_budget,
        pinned=frozenset(settings.pin),
        after_close=give_back,
    )
    service = Service(
        registry,
        partial(
            Scheduler,
            max_batch_tokens=settings.max_batch_tokens,
            max_queue_tokens=settings.max_queue_tokens
            or default_bound(lanes, settings.max_batch_tokens),
            max_request_tokens=settings.max_request_tokens,
            lanes=lanes,
        ),
        cache_bytes=settings.cache,
        workers=lanes,
        max_answer_bytes=settings.max_answer,
    )
    metrics = Metrics()
    metrics.watch(service)
    keys = Keys(
        read_keys(settings.api_keys, settings.api_keys_file), settings.key_tokens_per_minute
    )
    memories = PhraseStore(settings.phrases, settings.max_phrases, registry)
    equipment = Equipment.of(memories, settings.words, settings.heads, settings.indexes, registry)
    state = State(settings, service, metrics, keys, default, equipment)

    @asynccontextmanager
    async def lifespan(app: Application) -> AsyncIterator[None]:
        await service.start()
        try:
            try:
                await warm(service, default)
                state.ready = True
            except QingyuError as error:  # told by who started us, without a traceback
                state.failure = error
            async with _jobs(app, settings.jobs):
                yield
        finally:
            state.ready = False
            await service.stop()

    return Application(state, lifespan)


class Application(Starlette):
    """What is asked most is answered by its endpoint (`Direct`); for the rest the whole application
    is made when it is first wanted, since it takes 20 MB and a third of a second."""

    def __init__(self, state: State, lifespan: Lifespan[Application]) -> None:
        self._layers = layers(state)
        super().__init__(lifespan=lifespan, middleware=[*self._layers, Middleware(Direct)])
        self.state.qingyu = state
        self.state.jobs = None
        self._whole: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_direct(scope):
            await super().__call__(scope, receive, send)
            return
        whole = self._whole or await self._made()
        await whole(scope, receive, send)

    async def _made(self) -> ASGIApp:
        async with self._making:
            if self._whole is None:  # in a thread: meanwhile others are answered
                self._whole = await asyncio.to_thread(self._make)
            return self._whole

    def _make(self) -> ASGIApp:
        from .whole import make_whole

        return make_whole(self.state, self._layers)


def layers(state: State) -> list[Middleware]:
    """What every request passes, outermost first."""
    settings = state.settings
    gate = Middleware(Gate, keys=state.keys, origins=Origins.of(settings), metrics=state.metrics)
    found = [gate]
    if settings.traces:
        found.append(Middleware(Traced, tracer=tracer_from_environment()))
    if settings.cors_origins:  # outside the gate: a page may read its refusals too
        cors = Middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["authorization", "content-type", "x-api-key", "x-request-id"],
            expose_headers=["x-request-id", "retry-after"],
        )
        found.insert(0, cors)
    return found


def refusals(state: State) -> Refusals:
    """What is refused without being looked at, by the protocol."""
    computing = {path: route for (method, path), route in ROUTES.items() if method == "POST"}
    return Refusals(
        state.service.scheduler,
        computing,
        keys=state.keys,
        origins=Origins.of(state.settings),
        metrics=state.metrics,
    )


def _jobs(app: Application, folder: Path | None) -> AbstractAsyncContextManager[None]:
    """Jobs while the service runs, if it has a folder for them."""
    if folder is None:
        return nullcontext()
    from .jobs import working

    return working(app.state, app.state.qingyu, folder)


def lanes_and_threads(settings: Settings, cpus: int) -> tuple[int, int]:
    """How many batches run at once and with how many threads each, of this process's CPUs.

    One thread a batch and a batch a CPU by default: threads that share a batch wait for each other
    at every product, which costs up to half the throughput, and all of it where something else
    wants a CPU.
    """
    cpus = max(1, cpus // settings.workers)
    if settings.lanes is None and settings.threads is not None:
        return max(1, cpus // settings.threads), settings.threads
    lanes = settings.lanes or min(cpus, MOST_LANES)
    return lanes, settings.threads or max(1, cpus // lanes)


def _default_model(settings: Settings) -> tuple[str, dict[str, Path]]:
    """The default's name, and where it is if it was given as a folder."""
    name = settings.model
    if Path(name).name == name:
        return name, {}
    path = bundle.find(name).resolve()
    return path.name, {path.name: path}


def _device(settings: Settings) -> Device:
    memory = settings.gpu_memory
    return Device(settings.device, None if memory is None else int(memory))


def _load(path: Path, threads: int | None, device: Device) -> Any:
    from qingyu.model import Model as RealModel

    manifest = bundle.read_manifest(path)
    bundle.verify(manifest)
    return RealModel(manifest, threads, device)
