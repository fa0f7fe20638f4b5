"""All that can be asked, as FastAPI describes it: every route, the page, OpenAPI."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.datastructures import State as Shared
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from qingyu import __version__
from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import error_response, of_status

from .api import (
    documents,
    embedding_routes,
    exercises,
    heads,
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
from .api.openapi import add_openapi
from .api.tasks import ROWS
from .api.validation import unprocessable
from .pages import page_routes

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


def make_whole(shared: Shared, layers: Sequence[Middleware]) -> FastAPI:
    """The application, ready to answer. `shared` is what its routes find as `app.state`."""
    app = FastAPI(
        title="Qingyu 轻语",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        middleware=list(layers),
        redirect_slashes=False,  # to whatever host the client says that this is
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # see tracing.py
    )
    app.state = shared
    parts = (
        documents, exercises, jobs, models, phrases, words, heads, indexes,
        embedding_routes, huggingface, open_inference, languagetool,
    )  # fmt: skip
    for router in (routes.task_router(), *(part.router for part in parts), routes.health_router()):
        app.include_router(router)
    app.router.routes.extend(page_routes())
    bodies: list[type[BaseModel]] = [row.request for row in ROWS]
    bodies += [part.BODY for part in (routes, documents, jobs, huggingface, open_inference)]
    bodies += [
        *embedding_routes.BODIES,
        *phrases.BODIES,
        *words.BODIES,
        *heads.BODIES,
        *indexes.BODIES,
    ]
    add_openapi(app, bodies)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    _make_routes(app)
    return app


def _make_routes(app: FastAPI) -> None:
    """Make the routes that the framework puts off until somebody asks for one: some 70 ms, for
    which the event loop would answer nobody."""
    nowhere = {"type": "http", "method": "GET", "path": "/-", "root_path": "", "headers": []}
    for route in app.router.routes:
        route.matches(nowhere)


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
