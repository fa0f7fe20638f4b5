"""POST /v1/exercise/document: an exercise as a Word document, its key on a page of its own.

It takes what /v1/exercise takes; one that was just answered comes out of the cache.
"""

from __future__ import annotations

import asyncio
import json

from fastapi import APIRouter, Request
from starlette.responses import Response

from qingyu.client.answers import result
from qingyu.jobs.exercise_sheet import document
from qingyu.results import ExerciseResult
from qingyu.service.calls import Call
from qingyu.web.state import state_of

from .documents import WORD
from .exchange import ERRORS, body_of, calls_of, compute, received
from .validation import parse
from .wire_exercise import ExerciseRequest

router = APIRouter(prefix="/v1", tags=["tasks"])


@router.post(
    "/exercise/document",
    summary="出填空题，写成 Word 文档 / an exercise as a Word document",
    response_model=None,
    responses={
        200: {"content": {WORD: {"schema": {"type": "string", "format": "binary"}}}},
        **ERRORS,
    },
    openapi_extra=body_of(ExerciseRequest),
)
async def exercise_document(request: Request) -> Response:
    settings = state_of(request).settings

    def make(body: bytes) -> tuple[str | None, list[Call]]:
        wanted = parse(ExerciseRequest, body)
        return wanted.model, calls_of(wanted, settings)

    model, calls = await received(request, make)
    answers = await compute(request, model, calls)

    def written() -> bytes:
        return document([result(ExerciseResult, json.loads(one.body)) for one in answers])

    data = await asyncio.get_running_loop().run_in_executor(None, written)
    return Response(data, media_type=WORD)
