"""Shared by all interfaces: read a request, compute its calls, send the answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from qingyu.service.calls import Answer, Call
from qingyu.settings import Settings
from qingyu.web.edge.body import Watch, check_json, read_body
from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import ErrorResponse, ForeignErrorResponse, RequestError
from qingyu.web.state import state_of

from .validation import SMALL_BYTES
from .wire import TaskRequest

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
T = TypeVar("T")
PIECE = 64 << 10  # bytes
Responses = dict[int | str, dict[str, Any]]
ERRORS: Responses = {s: {"model": ErrorResponse, "description": t} for s, t in TOLD.items()}
FOREIGN_ERRORS: Responses = {
    s: {"model": ForeignErrorResponse, "description": t} for s, t in TOLD.items()
}


async def received(
    request: Request, make: Callable[[bytes], T], *kinds: str, most: int | None = None
) -> T:
    """What `make` makes of the JSON body, within the service's limits; a long one is made something
    of in a thread. `kinds` are content types beside JSON that are accepted, `most` how many bytes
    instead of the service's `max_body`."""
    state = state_of(request)
    settings = state.settings
    check_json(request, *kinds)
    with state.bodies.hold() as held:
        body = await read_body(request, most or settings.max_body, settings.body_timeout, held)
        if len(body) <= SMALL_BYTES:
            return make(body)
        return await asyncio.get_running_loop().run_in_executor(state.reading, make, body)


async def compute(request: Request, model: str | None, calls: Sequence[Call]) -> list[Answer]:
    """The answers to `calls`, given up when the client leaves; fills in the request's context."""
    state, context = state_of(request), context_of(request)
    context.model = model or state.default
    context.texts = len(calls)
    context.task = calls[0].task if calls else ""
    if state.settings.log_text:
        context.text = logged(calls)
    with Watch(request.receive):
        calls = await equipped(request, calls)
        cost = await state.service.cost(context.model, calls)
        context.holds.append(held := state.answers.hold())
        held.take(cost.bytes)
        state.keys.hold(context, cost.tokens)
        answers = await state.service.answer(
            context.model, calls, timeout=state.settings.timeout, cost=cost
        )
    context.tokens = sum(answer.tokens for answer in answers)
    return answers


def logged(calls: Sequence[Call]) -> str:
    """What was asked, for an operator who wants to see it; no more of it than is logged."""
    return json.dumps([call.inputs for call in calls[:8]], ensure_ascii=False)


async def equipped(request: Request, calls: Sequence[Call]) -> Sequence[Call]:
    """The calls with the memories, heads and indexes that they name, opened. Raises what opening
    them raises, and MemoryBudgetError."""
    equipment = state_of(request).equipment
    if not equipment.wanted(calls):
        return calls
    return await asyncio.get_running_loop().run_in_executor(None, equipment.opened, calls)


def calls_of(wanted: TaskRequest, settings: Settings) -> list[Call]:
    """Raises InputError and RequestError (too_many_texts, text_too_long)."""
    calls = wanted.calls()
    texts = sum(call.texts for call in calls)
    if max(len(calls), texts - len(calls)) > settings.max_texts:
        raise RequestError(
            "too_many_texts",
            f"一次最多 {settings.max_texts} 条文本，收到 {texts} 条，请分批发送。",
            f"At most {settings.max_texts} texts at once, not {texts}; send them in parts.",
        )
    check_lengths(calls, settings.max_characters)
    return calls


def check_lengths(calls: Sequence[Call], most: int) -> None:
    """Raises RequestError (text_too_long)."""
    longest = max((call.longest for call in calls), default=0)
    if longest > most:
        raise RequestError(
            "text_too_long",
            f"一条文本最多 {most} 个字符，收到 {longest} 个。",
            f"A text has at most {most} characters, not {longest}.",
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
    return answered(content)


def json_response(value: object) -> Response:
    return answered(_encoded(value))


async def shaped(request: Request, make: Callable[[], object]) -> Response:
    """`make()` as JSON; where the answers that it is made of may be long, in a thread."""
    if sum(held.bytes for held in context_of(request).holds) <= PIECE:
        return json_response(make())
    loop = asyncio.get_running_loop()
    content = await loop.run_in_executor(state_of(request).reading, lambda: _encoded(make()))
    return answered(content)


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def answered(content: bytes) -> Response:
    """A response of JSON. A long one goes out piece by piece, each when the one before has been
    taken, so that a client that does not read is noticed and its connection holds little."""
    if len(content) <= PIECE:
        return Response(content, media_type="application/json")
    headers = {"content-length": str(len(content))}
    return StreamingResponse(_pieces(content), headers=headers, media_type="application/json")


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of a body that the endpoint reads itself; see `openapi.py`."""
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}
    }
