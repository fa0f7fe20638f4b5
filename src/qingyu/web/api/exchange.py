"""What every interface does with a request: read it, compute its calls, send what came out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from qingyu.service.calls import Answer, Call
from qingyu.web.edge.body import Watch, check_json, read_body
from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import ErrorResponse, ForeignErrorResponse, RequestError
from qingyu.web.state import state_of

TOLD = {
    400: "请求体不是 JSON / the body is not JSON",
    401: "缺少或错误的密钥 / no key or a wrong one",
    404: "没有这个模型 / no such model",
    408: "请求体传输超时 / the body took too long",
    413: "请求过大 / too large",
    415: "请求体应为 JSON / the body should be JSON",
    422: "内容有误 / the content is wrong",
    429: "繁忙，稍后重试 / busy, try later",
    503: "暂不可用 / not available now",
}
Responses = dict[int | str, dict[str, Any]]
ERRORS: Responses = {s: {"model": ErrorResponse, "description": t} for s, t in TOLD.items()}
FOREIGN_ERRORS: Responses = {
    s: {"model": ForeignErrorResponse, "description": t} for s, t in TOLD.items()
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
    context.task = calls[0].task if calls else ""
    check_limits(calls, settings.max_texts, settings.max_characters)
    if settings.log_text:
        context.text = json.dumps([call.inputs for call in calls], ensure_ascii=False)
    with Watch(request.receive):
        answers = await state.service.answer(context.model, calls, timeout=settings.timeout)
    context.tokens = sum(answer.tokens for answer in answers)
    return answers


def check_limits(calls: Sequence[Call], max_texts: int, max_characters: int) -> None:
    """Raises RequestError (too_many_texts, text_too_long)."""
    texts = sum(call.texts for call in calls)
    if max(len(calls), texts - len(calls)) > max_texts:
        raise RequestError(
            "too_many_texts",
            f"一次最多 {max_texts} 条文本，收到 {texts} 条，请分批发送。",
            f"At most {max_texts} texts at once, not {texts}; send them in parts.",
        )
    longest = max((call.longest for call in calls), default=0)
    if longest > max_characters:
        raise RequestError(
            "text_too_long",
            f"一条文本最多 {max_characters} 个字符，收到 {longest} 个。",
            f"A text has at most {max_characters} characters, not {longest}.",
        )


def envelope(request: Request, answers: Sequence[Answer]) -> Response:
    """`{"model", "results", "tokens", "elapsed_ms"}`, around results that are JSON already."""
    context = context_of(request)
    content = b'{"model":%b,"results":[%b],"tokens":%d,"elapsed_ms":%.2f}' % (
        json.dumps(context.model, ensure_ascii=False).encode(),
        b",".join([answer.body for answer in answers]),
        context.tokens,
        context.elapsed_ms,
    )
    return Response(content, media_type="application/json")


def json_response(value: object) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), media_type="application/json")


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of a body that the endpoint reads itself; see `openapi.py`."""
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}
    }
