"""/v1/heads: heads taught with rows of one's own, listed and removed; /v1/text-classification asks
them by name."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from qingyu.errors import QingyuError
from qingyu.service.errands import Borrowed
from qingyu.teach.teacher import Lesson, teach
from qingyu.web.edge.body import Watch
from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import RequestError
from qingyu.web.state import state_of

from .exchange import ERRORS, body_of, json_response, received
from .indexes import in_thread
from .validation import parse
from .wire_search import HeadRequest

SHOWN = 20  # confusions told
router = APIRouter(prefix="/v1/heads", tags=["heads"])


class ServedHead(BaseModel):
    name: str
    labels: list[str]
    about: dict[str, Any] = Field(description="行数与得分 / rows of each label, and the score")
    digest: str = Field(description="在哪个模型上学的 / digest of the model it belongs to")
    problem: str | None = None


class Told(BaseModel):
    """A note for people, in both languages."""

    zh: str
    en: str


class TaughtResponse(BaseModel):
    name: str
    labels: list[str]
    rows: int
    score: dict[str, Any] = Field(
        description="交叉验证：准确率及其 95 % 区间、混淆 / by cross-validation, with its interval"
    )
    bar: float | None = Field(description="“不确定”的门槛 / below it, uncertain; null: not known")
    notes: list[Told]


class HeadsResponse(BaseModel):
    heads: list[ServedHead]
    enabled: bool = Field(
        description="服务是否设了目录 / whether the service has a folder for them"
    )


BODIES: list[type[BaseModel]] = [HeadRequest]


@router.get("", summary="有哪些学成的头 / which taught heads there are")
async def listed(request: Request) -> HeadsResponse:
    shelf = state_of(request).equipment.heads
    if shelf.folder is None:
        return HeadsResponse(heads=[], enabled=False)

    def look() -> list[ServedHead]:
        found = []
        for name in shelf.names():
            try:
                head = shelf.open(name)
            except QingyuError as error:
                told = ServedHead(name=name, labels=[], about={}, digest="", problem=str(error))
            else:
                labels = list(head.labels)
                told = ServedHead(name=name, labels=labels, about=head.about, digest=head.bundle)
            found.append(told)
        return found

    return HeadsResponse(heads=await in_thread(look), enabled=True)


@router.post(
    "",
    summary="教一个头 / teach a head",
    response_model=None,
    responses={200: {"model": TaughtResponse}, **ERRORS},
    openapi_extra=body_of(HeadRequest),
)
async def taught(request: Request) -> Response:
    state, context = state_of(request), context_of(request)
    shelf = state.equipment.heads
    wanted = await received(request, partial(parse, HeadRequest))
    out = await in_thread(lambda: shelf.place(wanted.name))
    longest = max(map(len, (*wanted.texts, *wanted.labels)))
    if longest > state.settings.max_characters:
        most = state.settings.max_characters
        raise RequestError(
            "text_too_long",
            f"一条文本最多 {most} 个字符，收到 {longest} 个。",
            f"A text has at most {most} characters, not {longest}.",
        )
    if wanted.add:
        await in_thread(lambda: shelf.open(wanted.name))  # raises where there is none
    context.model = wanted.model or state.default

    def work(model: Borrowed) -> Lesson:
        lesson = teach(
            model,
            wanted.texts,
            wanted.labels,
            name=wanted.name,
            names=wanted.names,
            add_to=out if wanted.add else None,
        )
        lesson.save(out)
        return lesson

    with Watch(request.receive):
        lesson, context.tokens = await state.errands.run(
            context.model,
            wanted.texts,
            work,
            partial(state.keys.hold, context),
            passes=3 if wanted.names else 1,  # a cloze asks with the text and without
        )
    return json_response(_told(lesson).model_dump())


@router.delete(
    "/{name}", status_code=204, summary="删除 / remove", response_model=None, responses=ERRORS
)
async def remove(request: Request, name: str) -> Response:
    shelf = state_of(request).equipment.heads
    await in_thread(lambda: shelf.remove(name))
    return Response(status_code=204)


def _told(lesson: Lesson) -> TaughtResponse:
    score = asdict(lesson.score)
    score["confusions"] = score["confusions"][:SHOWN]
    return TaughtResponse(
        name=lesson.head.name,
        labels=list(lesson.head.labels),
        rows=lesson.score.rows,
        score=score,
        bar=lesson.head.bar,
        notes=[Told(zh=zh, en=en) for zh, en in lesson.notes],
    )
