"""/v1/phrases: memories of phrases that requests may name, listed, added and removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from qingyu.service.phrases import PhraseFile
from qingyu.web.edge.body import read_body
from qingyu.web.state import state_of

from .exchange import ERRORS, body_of, json_response, received
from .validation import parse
from .wire import Strict

T = TypeVar("T")
FILE = "application/octet-stream"


class PhrasesText(Strict):
    """What to count: running text, a list of phrases with one on each line, or both."""

    text: str = Field(
        default="", description="文档 / running text", examples=["灵犀云枢启动后指示灯变绿。"]
    )
    list: str = Field(default="", description="词条，每行一条 / phrases, one on each line")
    model: str | None = Field(default=None, description="给哪个模型用 / for which model")


class ServedPhrases(BaseModel):
    name: str
    bytes: int
    entries: int | None = Field(description="条目数，文件损坏则为 null / null where it is damaged")
    loaded: bool
    problem: str | None


class PhrasesResponse(BaseModel):
    phrases: list[ServedPhrases]
    enabled: bool = Field(
        description="服务是否设了目录 / whether the service has a folder for them"
    )


BODIES: list[type[BaseModel]] = [PhrasesText]
router = APIRouter(prefix="/v1/phrases", tags=["phrases"])


@router.get("", summary="有哪些短语记忆 / which memories there are")
async def listed(request: Request) -> PhrasesResponse:
    store = state_of(request).equipment.phrases
    if store.folder is None:
        return PhrasesResponse(phrases=[], enabled=False)
    return PhrasesResponse(
        phrases=[_info(one) for one in await _in_thread(store.files)], enabled=True
    )


@router.put(
    "/{name}",
    summary="统计文本或上传文件 / count text, or send a file",
    response_model=None,
    responses={200: {"model": ServedPhrases}, **ERRORS},
    openapi_extra=body_of(PhrasesText),
)
async def put(request: Request, name: str) -> Response:
    state = state_of(request)
    store = state.equipment.phrases
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FILE:
        with state.bodies.hold() as held:
            settings = state.settings
            data = await read_body(request, settings.max_phrases, settings.body_timeout, held)
            kept = await _in_thread(lambda: store.keep(name, data))
    else:
        wanted = await received(request, partial(parse, PhrasesText))
        loaded = await state.service.registry.lease(wanted.model or state.default)
        tokenizer = loaded.model.tokenizer
        state.service.registry.release(loaded)
        kept = await _in_thread(lambda: store.count(name, wanted.text, wanted.list, tokenizer))
    return json_response(_info(kept).model_dump())


@router.delete(
    "/{name}", status_code=204, summary="删除 / remove", response_model=None, responses=ERRORS
)
async def remove(request: Request, name: str) -> Response:
    store = state_of(request).equipment.phrases
    await _in_thread(lambda: store.remove(name))
    return Response(status_code=204)


def _info(one: PhraseFile) -> ServedPhrases:
    problem = None if one.problem is None else str(one.problem)
    return ServedPhrases(
        name=one.name, bytes=one.bytes, entries=one.entries, loaded=one.loaded, problem=problem
    )


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, work)
