"""The typed interface: /v1/<task>, and /predict in the shape of existing clients."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.responses import Response

from qingyu.errors import NoMaskError, QingyuError
from qingyu.service.calls import Call
from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import error_response
from qingyu.web.state import state_of

from .embedding_shapes import Shape, openai_embeddings
from .exchange import ERRORS, body_of, calls_of, compute, envelope, received, shaped
from .stream import KIND, stream_calls, streamed, wants_lines
from .tasks import ROWS, ServedTask
from .validation import parse
from .wire import EmbeddingsRequest, FillMaskRequest, TaskRequest

LINES = {KIND: {"schema": {"type": "string", "description": "逐行回答 / line by line"}}}


def task_router() -> APIRouter:
    """One endpoint a row of the table."""
    router = APIRouter(prefix="/v1", tags=["tasks"])
    for row in ROWS:
        _add(router, row)
    return router


def _add(router: APIRouter, row: ServedTask) -> None:
    async def endpoint(request: Request) -> Response:
        settings = state_of(request).settings
        limit = stream_calls if wants_lines(request) else calls_of

        def make(body: bytes) -> tuple[str | None, list[Call], Shape | None]:
            if row.request is EmbeddingsRequest and (other := openai_embeddings(body, settings)):
                return other
            wanted: TaskRequest = parse(row.request, body)
            return wanted.model, limit(wanted, settings), None

        model, calls, shape = await received(request, make)
        if wants_lines(request) and shape is None:
            return await streamed(request, model, calls)
        answers = await compute(request, model, calls)
        if shape is not None:
            return await shaped(request, partial(shape, answers))
        return envelope(request, answers)

    results: Any = list[row.result]  # type: ignore[name-defined]  # known when it runs
    described = create_model(
        f"{row.request.__name__.removesuffix('Request')}Response",
        model=(str, ...),
        results=(results, ...),
        tokens=(int, Field(description="读入的词元数 / tokens read")),
        elapsed_ms=(float, Field(description="服务端用时（毫秒）/ time taken here, in ms")),
    )
    router.add_api_route(
        f"/{row.task.path}",
        endpoint,
        methods=["POST"],
        summary=row.task.title,
        name=row.task.name,
        response_model=None,
        responses={200: {"model": described, "content": LINES}, **ERRORS},
        openapi_extra=body_of(row.request),
    )


class PredictRequest(BaseModel):
    """What clients of existing fill-mask services send; whatever else it carries is ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    text: str = Field(examples=["今天天气真[MASK]啊，适合出去玩。"])


class Scored(BaseModel):
    token: str
    score: float


class PredictResponse(BaseModel):
    results: list[Scored] | list[list[Scored]] = Field(
        description="一个空时为候选列表，多个空时每空一个 / one list for a mask, lists for several"
    )


BODY = PredictRequest
router = APIRouter()


@router.post(
    "/predict",
    tags=["tasks"],
    summary="语义填空（兼容既有客户端）/ fill-mask as existing clients send it",
    response_model=None,
    responses={200: {"model": PredictResponse}, **ERRORS},
    openapi_extra=body_of(PredictRequest),
)
async def predict(request: Request) -> Response:
    settings = state_of(request).settings

    def make(body: bytes) -> list[Call]:
        return calls_of(FillMaskRequest(text=parse(PredictRequest, body).text), settings)

    try:
        answers = await compute(request, None, await received(request, make))
    except NoMaskError as error:
        told = QingyuError("未找到 [MASK] 标记", error.en)
        told.code = context_of(request).error = error.code
        return error_response(told, request.scope, context_of(request).request_id, status=400)

    def shape() -> object:
        masks = [
            [{"token": one["token"], "score": one["score"]} for one in mask["candidates"]]
            for mask in json.loads(answers[0].body)["masks"]
        ]
        return {"results": masks[0] if len(masks) == 1 else masks}

    return await shaped(request, shape)
