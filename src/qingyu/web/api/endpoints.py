"""What the addresses of the tasks do: /v1/<task>, and /predict in the shape of existing clients."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from qingyu.errors import NoMaskError, QingyuError
from qingyu.service.calls import Call
from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import error_response
from qingyu.web.state import state_of

from .embedding_shapes import Shape, openai_embeddings
from .exchange import calls_of, compute, envelope, received, shaped
from .stream import stream_calls, streamed, wants_lines
from .tasks import ServedTask
from .validation import parse
from .wire import EmbeddingsRequest, FillMaskRequest, TaskRequest

Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint_of(row: ServedTask) -> Endpoint:
    """The endpoint of a task."""

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

    return endpoint


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
