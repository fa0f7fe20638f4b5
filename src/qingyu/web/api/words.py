"""/v1/words: lists of words that proofreading leaves alone, kept by name for `keep_lists`."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from qingyu.errors import QingyuError
from qingyu.service.words import MAX_WORDS
from qingyu.web.state import state_of

from .exchange import ERRORS, body_of, json_response, received
from .indexes import in_thread
from .validation import parse
from .wire import Strict, Text


class WordsRequest(Strict):
    """The words of a list, in place of those that it had."""

    words: list[Text] = Field(
        max_length=MAX_WORDS,
        fail_fast=True,
        description="不查的词 / words never suspected",
        examples=[["轻语", "灵犀云枢"]],
    )


class ServedWords(BaseModel):
    name: str
    words: int | None = Field(
        description="词数，文件读不了则为 null / how many; null where it cannot be read"
    )
    problem: str | None = None


class WordsResponse(BaseModel):
    lists: list[ServedWords]
    enabled: bool = Field(
        description="服务是否设了目录 / whether the service has a folder for them"
    )


class ListedWords(BaseModel):
    name: str
    words: list[str]


BODIES: list[type[BaseModel]] = [WordsRequest]
router = APIRouter(prefix="/v1/words", tags=["words"])


@router.get("", summary="有哪些词表 / which word lists there are")
async def listed(request: Request) -> WordsResponse:
    store = state_of(request).equipment.words
    if store.folder is None:
        return WordsResponse(lists=[], enabled=False)

    def look() -> list[ServedWords]:
        found = []
        for name in store.names():
            try:
                found.append(ServedWords(name=name, words=len(store.open(name))))
            except QingyuError as error:
                found.append(ServedWords(name=name, words=None, problem=str(error)))
        return found

    return WordsResponse(lists=await in_thread(look), enabled=True)


@router.get("/{name}", summary="一份词表 / the words of a list", responses=ERRORS)
async def one(request: Request, name: str) -> ListedWords:
    store = state_of(request).equipment.words
    words = await in_thread(lambda: store.open(name))
    return ListedWords(name=name, words=list(words))


@router.put(
    "/{name}",
    summary="保存一份词表 / keep a list",
    response_model=None,
    responses={200: {"model": ServedWords}, **ERRORS},
    openapi_extra=body_of(WordsRequest),
)
async def put(request: Request, name: str) -> Response:
    store = state_of(request).equipment.words
    wanted = await received(request, partial(parse, WordsRequest))
    kept = await in_thread(lambda: store.keep(name, wanted.words))
    return json_response(ServedWords(name=name, words=len(kept)).model_dump())


@router.delete(
    "/{name}", status_code=204, summary="删除 / remove", response_model=None, responses=ERRORS
)
async def remove(request: Request, name: str) -> Response:
    store = state_of(request).equipment.words
    await in_thread(lambda: store.remove(name))
    return Response(status_code=204)
