"""The typed interface: /v1/<task>, /predict and the list of models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, create_model
from starlette.responses import Response

from qingyu.errors import NoMaskError, QingyuError
from qingyu.service.cache import Answer
from qingyu.service.slots import BundleState
from qingyu.service.work import Call

from .body import Watch, check_json, read_body
from .context import context_of
from .errors import RequestError, error_response
from .state import state_of
from .tables import ROWS, Row
from .validation import parse
from .wire import (
    ErrorResponse,
    FillMaskRequest,
    ModelInfo,
    ModelsResponse,
    PredictRequest,
    PredictResponse,
    TaskRequest,
)

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": description}
    for status, description in {
        400: "请求体不是 JSON / the body is not JSON",
        401: "缺少或错误的密钥 / no key or a wrong one",
        404: "没有这个模型 / no such model",
        408: "请求体传输超时 / the body took too long",
        413: "请求过大 / too large",
        415: "请求体应为 JSON / the body should be JSON",
        422: "内容有误 / the content is wrong",
        429: "繁忙，稍后重试 / busy, try later",
        503: "暂不可用 / not available now",
    }.items()
}


async def read(request: Request) -> bytes:
    """The JSON body within the service's limits."""
    settings = state_of(request).settings
    check_json(request)
    return await read_body(request, settings.max_body, settings.body_timeout)


async def compute(request: Request, model: str | None, calls: Sequence[Call]) -> list[Answer]:
    """The answers to `calls`, given up when the client leaves; fills in the request's context."""
    state, context = state_of(request), context_of(request)
    settings = state.settings
    context.model = model or state.default
    context.texts = len(calls)
    if calls:
        context.task = calls[0].task
    check_limits(calls, settings.max_texts, settings.max_characters)
    if settings.log_text:
        context.text = json.dumps([call.inputs for call in calls], ensure_ascii=False)
    with Watch(request.receive):
        answers = await state.service.answer(context.model, calls, timeout=settings.timeout)
    context.tokens = sum(answer.tokens for answer in answers)
    return answers


def check_limits(calls: Sequence[Call], max_texts: int, max_characters: int) -> None:
    """Raises RequestError (too_many_texts, text_too_long)."""
    if len(calls) > max_texts:
        raise RequestError(
            "too_many_texts",
            f"一次最多 {max_texts} 条文本，收到 {len(calls)} 条，请分批发送。",
            f"At most {max_texts} texts at once, not {len(calls)}; send them in parts.",
        )
    longest = max((call.size for call in calls), default=0)
    if longest > max_characters:
        raise RequestError(
            "text_too_long",
            f"一条文本最多 {max_characters} 个字符，收到 {longest} 个。",
            f"A text has at most {max_characters} characters, not {longest}.",
        )


def envelope(request: Request, answers: Sequence[Answer]) -> Response:
    """`{"model", "results", "tokens", "elapsed_ms"}`, around results that are JSON already."""
    context = context_of(request)
    results = b",".join([answer.body for answer in answers])
    return Response(
        b'{"model":%b,"results":[%b],"tokens":%d,"elapsed_ms":%.2f}'
        % (
            json.dumps(context.model, ensure_ascii=False).encode(),
            results,
            context.tokens,
            context.elapsed_ms,
        ),
        media_type="application/json",
    )


def task_router() -> APIRouter:
    """One endpoint a row of the table."""
    router = APIRouter(prefix="/v1", tags=["tasks"])
    for row in ROWS:
        _add(router, row)
    return router


def _add(router: APIRouter, row: Row) -> None:
    async def endpoint(request: Request) -> Response:
        wanted: TaskRequest = parse(row.request, await read(request))
        return envelope(request, await compute(request, wanted.model, wanted.calls()))

    router.add_api_route(
        f"/{row.path}",
        endpoint,
        methods=["POST"],
        summary=row.summary,
        name=row.task,
        response_model=None,
        responses={200: {"model": _described(row)}, **ERRORS},
        openapi_extra=body_of(row.request),
    )


def _described(row: Row) -> type[BaseModel]:
    return create_model(
        f"{row.result.__name__}s",
        model=(str, ...),
        results=(list[row.result], ...),  # type: ignore[name-defined]
        tokens=(int, Field(description="读入的词元数 / tokens read")),
        elapsed_ms=(float, Field(description="服务端用时 / time taken here, milliseconds")),
    )


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of a body that the endpoint reads itself."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


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
    wanted = parse(PredictRequest, await read(request))
    calls = FillMaskRequest(text=wanted.text).calls()
    try:
        answers = await compute(request, None, calls)
    except NoMaskError as error:
        told = QingyuError("未找到 [MASK] 标记", error.en)
        told.code = context_of(request).error = error.code
        return error_response(told, context_of(request).request_id, status=400)
    masks = [
        [
            {"token": candidate["token"], "score": candidate["score"]}
            for candidate in mask["candidates"]
        ]
        for mask in json.loads(answers[0].body)["masks"]
    ]
    results = masks[0] if len(masks) == 1 else masks
    return Response(
        json.dumps({"results": results}, ensure_ascii=False), media_type="application/json"
    )


@router.get("/v1/models", tags=["models"], summary="有哪些模型 / which models there are")
async def models(request: Request) -> ModelsResponse:
    state = state_of(request)
    found = state.service.registry.states()
    return ModelsResponse(models=[model_info(one) for one in found], default=state.default)


def model_info(bundle: BundleState) -> ModelInfo:
    manifest = bundle.manifest
    return ModelInfo(
        name=bundle.name,
        family=manifest.family,
        precision=manifest.precision,
        tasks=tasks_of(bundle),
        bytes=manifest.bytes,
        parameters=manifest.sizes.parameters,
        loaded=bundle.loaded,
        pinned=bundle.pinned,
        memory_bytes=bundle.memory_bytes,
    )


def tasks_of(bundle: BundleState) -> list[str]:
    """Names of the tasks whose kind of head the bundle has."""
    kinds = {head.kind for head in bundle.manifest.heads.values()}
    return [row.task for row in ROWS if row.head in kinds or not row.head]
