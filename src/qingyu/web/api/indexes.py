"""/v1/indexes: rows that can be searched, listed, added and removed; /v1/search asks them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from qingyu.errors import QingyuError
from qingyu.model import searching
from qingyu.search.index import Index
from qingyu.service.errands import Borrowed
from qingyu.web.edge.body import Watch
from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import RequestError
from qingyu.web.state import state_of

from .exchange import ERRORS, body_of, json_response, received
from .validation import parse
from .wire_search import IndexRequest

T = TypeVar("T")
router = APIRouter(prefix="/v1/indexes", tags=["search"])


class ServedIndex(BaseModel):
    name: str
    rows: int | None = Field(description="行数，损坏则为 null / null where it is damaged")
    text: str | None = Field(description="检索哪一列 / the column that is searched")
    digest: str | None = Field(description="用哪个模型建的 / digest of the model it belongs to")
    problem: str | None = None


class IndexesResponse(BaseModel):
    indexes: list[ServedIndex]
    enabled: bool = Field(
        description="服务是否设了目录 / whether the service has a folder for them"
    )


BODIES: list[type[BaseModel]] = [IndexRequest]


@router.get("", summary="有哪些索引 / which indexes there are")
async def listed(request: Request) -> IndexesResponse:
    shelf = state_of(request).equipment.indexes
    if shelf.folder is None:
        return IndexesResponse(indexes=[], enabled=False)

    def look() -> list[ServedIndex]:
        found = []
        for name in shelf.names():
            try:
                found.append(_told(name, shelf.open(name)))
            except QingyuError as error:
                found.append(
                    ServedIndex(name=name, rows=None, text=None, digest=None, problem=str(error))
                )
        return found

    return IndexesResponse(indexes=await in_thread(look), enabled=True)


@router.put(
    "/{name}",
    summary="建索引 / build one of rows",
    response_model=None,
    responses={200: {"model": ServedIndex}, **ERRORS},
    openapi_extra=body_of(IndexRequest),
)
async def build(request: Request, name: str) -> Response:
    state, context = state_of(request), context_of(request)
    shelf = state.equipment.indexes
    wanted = await received(request, partial(parse, IndexRequest))
    out = await in_thread(lambda: shelf.place(name))
    texts = [str(row if isinstance(row, str) else row.get(wanted.text)) for row in wanted.rows]
    if max(map(len, texts)) > state.settings.max_characters:
        most = state.settings.max_characters
        raise RequestError(
            "text_too_long",
            f"一条文本最多 {most} 个字符。",
            f"A text has at most {most} characters.",
        )
    context.model = wanted.model or state.default

    def work(model: Borrowed) -> Index:
        return searching.build_index(model, wanted.rows, out, text=wanted.text)

    with Watch(request.receive):
        made, context.tokens = await state.errands.run(
            context.model, texts, work, partial(state.keys.hold, context)
        )
    return json_response(_told(name, made).model_dump())


@router.delete(
    "/{name}", status_code=204, summary="删除 / remove", response_model=None, responses=ERRORS
)
async def remove(request: Request, name: str) -> Response:
    shelf = state_of(request).equipment.indexes
    await in_thread(lambda: shelf.remove(name))
    return Response(status_code=204)


def _told(name: str, index: Index) -> ServedIndex:
    return ServedIndex(name=name, rows=len(index), text=index.text_column, digest=index.model)


async def in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, work)
