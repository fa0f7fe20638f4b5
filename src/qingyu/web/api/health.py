"""Liveness, readiness and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import RequestError, error_response
from qingyu.web.edge.metrics import CONTENT_TYPE
from qingyu.web.state import state_of

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str
    workers: int
    replaced: int


@router.get(
    "/health/live",
    summary="进程是否活着 / is the process alive",
    responses={200: {"model": Health}},
)
async def live(request: Request) -> Response:
    """503 when a worker is dead or stuck: restart the process."""
    workers = state_of(request).service.workers
    healthy = workers.healthy
    body = {
        "status": "live" if healthy else "stuck",
        "workers": workers.alive,
        "replaced": workers.replaced,
    }
    return JSONResponse(body, 200 if healthy else 503)


@router.get("/health/ready", summary="能否接受请求 / can it take requests")
async def ready(request: Request) -> Response:
    """503 before the default model is loaded and warm, and from the first sign of the end."""
    state = state_of(request)
    if state.ready and not state.draining:
        return JSONResponse({"status": "ready"})
    error = (
        RequestError("stopping", "服务正在停止。", "The service is shutting down.")
        if state.draining
        else RequestError("not_ready", "模型尚未就绪。", "The model is not ready yet.")
    )
    return error_response(error, request.scope, context_of(request).request_id)


@router.get("/metrics", summary="Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    return Response(state_of(request).metrics.text(), media_type=CONTENT_TYPE)
