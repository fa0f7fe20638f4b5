"""The endpoints of the tasks and of health, as OpenAPI describes them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field, create_model
from starlette.responses import Response

from . import health
from .endpoints import PredictRequest, PredictResponse, endpoint_of, predict
from .exchange import ERRORS, body_of
from .stream import KIND
from .tasks import ROWS, ServedTask

LINES = {KIND: {"schema": {"type": "string", "description": "逐行回答 / line by line"}}}
BODY = PredictRequest


def task_router() -> APIRouter:
    """One endpoint a row of the table, and `/predict`."""
    router = APIRouter(tags=["tasks"])
    for row in ROWS:
        _add(router, row)
    router.add_api_route(
        "/predict",
        predict,
        methods=["POST"],
        summary="语义填空（兼容既有客户端）/ fill-mask as existing clients send it",
        response_model=None,
        responses={200: {"model": PredictResponse}, **ERRORS},
        openapi_extra=body_of(PredictRequest),
    )
    return router


def _add(router: APIRouter, row: ServedTask) -> None:
    results: Any = list[row.result]  # type: ignore[name-defined]  # known when it runs
    described = create_model(
        f"{row.request.__name__.removesuffix('Request')}Response",
        model=(str, ...),
        results=(results, ...),
        tokens=(int, Field(description="读入的词元数 / tokens read")),
        elapsed_ms=(float, Field(description="服务端用时（毫秒）/ time taken here, in ms")),
    )
    router.add_api_route(
        f"/v1/{row.task.path}",
        endpoint_of(row),
        methods=["POST"],
        summary=row.task.title,
        name=row.task.name,
        response_model=None,
        responses={200: {"model": described, "content": LINES}, **ERRORS},
        openapi_extra=body_of(row.request),
    )


def health_router() -> APIRouter:
    """Liveness, readiness and metrics."""
    router = APIRouter(tags=["health"])
    router.add_api_route(
        "/health/live",
        health.live,
        summary="进程是否活着 / is the process alive",
        responses={200: {"model": health.Health}},
    )
    router.add_api_route(
        "/health/ready", health.ready, summary="能否接受请求 / can it take requests"
    )
    router.add_api_route("/metrics", health.metrics, summary="Prometheus", response_class=Response)
    return router
