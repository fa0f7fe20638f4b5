"""Liveness, readiness and metrics."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import RequestError, error_response
from qingyu.web.edge.metrics import CONTENT_TYPE
from qingyu.web.state import state_of


class Health(BaseModel):
    status: str
    workers: int
    replaced: int


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


async def metrics(request: Request) -> Response:
    return Response(state_of(request).metrics.text(), media_type=CONTENT_TYPE)
