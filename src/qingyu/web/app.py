"""The application: everything put together from the settings."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from qingyu import __version__, bundle
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
from qingyu.web.api.direct import Direct
from qingyu.web.api.openapi import add_openapi
from qingyu.web.api.tasks import ROWS
from qingyu.web.api.validation import unprocessable
from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import error_response, of_status
from qingyu.web.edge.gate import Gate
from qingyu.web.edge.metrics import Metrics
from qingyu.web.edge.origins import Origins
from qingyu.web.edge.security import Keys, read_keys
from qingyu.web.edge.tracing import Traced, tracer_from_environment

from .api import (
    documents,
    embedding_shapes,
    exercises,
    heads,
    health,
    huggingface,
    indexes,
    jobs,
    languagetool,
    models,
    open_inference,
    phrases,
    routes,
    words,
)
from .pages import page_routes
from .state import State

log = logging.getLogger("qingyu.web")

MOST_LANES = 8
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
TAGS = [
    {"name": "tasks", "description": "任务 / Tasks"},
    {"name": "jobs", "description": "批量任务 / Jobs"},
    {"name": "models", "description": "模型 / Models"},
    {"name": "phrases", "description": "短语记忆 / Phrase memories"},
    {"name": "words", "description": "不查的词 / Words never suspected"},
    {"name": "heads", "description": "学成的头 / Taught heads"},
    {"name": "search", "description": "检索的索引 / Indexes to search"},
    {
        "name": "embeddings",
        "description": "他家形式的向量与重排 / Vectors, ranking as others have them",
    },
    {"name": "huggingface", "description": "Hugging Face 的任务形式 / Hugging Face's task shapes"},
    {"name": "v2", "description": "开放推理协议 V2 / Open Inference Protocol V2"},
    {"name": "languagetool", "description": "LanguageTool 的形式 / LanguageTool's shape"},
    {"name": "health", "description": "运行 / Operation"},
]
DESCRIPTION = (
    "在普通 CPU 上读懂中文：填空、分类、匹配、实体。\n\n"
    "Chinese language understanding on ordinary CPUs."
)


def create_app(settings: Settings, *, load: Callable[[Path], ServedModel] | None = None) -> FastAPI:
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
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        make_routes(app)
        await service.start()
        try:
            try:
                await warm(service, default)
                state.ready = True
            except QingyuError as error:  # told by who started us, without a traceback
                state.failure = error
            async with jobs.working(app.state, state):
                yield
        finally:
            state.ready = False
            await service.stop()

    app = FastAPI(
        title="Qingyu 轻语",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        redirect_slashes=False,  # to whatever host the client says that this is
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # see tracing.py
    )
    app.state.qingyu = state
    parts = (
        routes, documents, exercises, jobs, models, phrases, words, heads, indexes,
        embedding_shapes, huggingface, open_inference, languagetool, health,
    )  # fmt: skip
    tasks = routes.task_router()
    for router in (tasks, *(part.router for part in parts)):
        app.include_router(router)
    app.router.routes.extend(page_routes())
    bodies: list[type[BaseModel]] = [row.request for row in ROWS]
    bodies += [part.BODY for part in (routes, documents, jobs, huggingface, open_inference)]
    bodies += [
        *embedding_shapes.BODIES,
        *phrases.BODIES,
        *words.BODIES,
        *heads.BODIES,
        *indexes.BODIES,
    ]
    add_openapi(app, bodies)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_middleware(Direct, routes=[*tasks.routes, *routes.router.routes])
    if settings.traces:
        app.add_middleware(Traced, tracer=tracer_from_environment())
    app.add_middleware(Gate, keys=keys, origins=Origins.of(settings), metrics=metrics)
    if settings.cors_origins:  # outside the gate: a page may read its refusals too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["authorization", "content-type", "x-api-key", "x-request-id"],
            expose_headers=["x-request-id", "retry-after"],
        )
    return app


def make_routes(app: FastAPI) -> None:
    """Make the routes that the framework puts off until somebody asks for one: some 70 ms, for
    which the event loop would answer nobody."""
    nowhere = {"type": "http", "method": "GET", "path": "/-", "root_path": "", "headers": []}
    for route in app.router.routes:
        route.matches(nowhere)


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


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    told = of_status(status)
    context_of(request).error = told.code
    response = error_response(told, request.scope, context_of(request).request_id, status=status)
    if status == 405:
        response.headers["allow"] = ", ".join(allowed(request))
    return response


def allowed(request: Request) -> list[str]:
    """The methods that an address takes, of all routes that have it."""
    routes: list[BaseRoute] = request.app.router.routes
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL
               for route in routes)
    ]  # fmt: skip


async def _validation_error(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    told = unprocessable([dict(problem) for problem in problems])
    context_of(request).error = told.code
    return error_response(told, request.scope, context_of(request).request_id)
