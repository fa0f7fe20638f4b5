"""A document checked over HTTP, answered paragraph by paragraph as it is read.

`POST /v1/check/document` takes the file itself: plain text, Markdown or .docx by its content type.
It is answered in lines, as `stream.py` says, a line for each paragraph that has something in it.
Parameters of the task are those of the query: `?threshold=0.6&keep=轻语,青雨`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from qingyu.errors import EmptyTextError, InputError
from qingyu.jobs.documents import read_document
from qingyu.web.state import state_of

from .exchange import ERRORS, received
from .stream import KIND, stream_calls, streamed
from .validation import parse_value
from .wire import CheckRequest

KINDS = {
    "text/plain": ".txt",
    "text/markdown": ".md",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}
PARAMETERS = ("top_k", "threshold", "check_punctuation")

router = APIRouter(prefix="/v1", tags=["tasks"])


@router.post(
    "/check/document",
    summary="查一个文件的错别字，逐段回答 / check a document, answered paragraph by paragraph",
    response_model=None,
    responses={
        200: {"content": {KIND: {"schema": {"type": "string"}}}, "description": "一段一行 / lines"},
        **ERRORS,
    },
    openapi_extra={
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}, "required": False}
            for name in (*PARAMETERS, "keep")
        ],
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string"}} for kind in KINDS},
        },
    },
)
async def check_document(request: Request) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    make = partial(read, KINDS.get(kind, ""), dict(request.query_params))
    wanted = await received(request, make, *KINDS)
    calls = stream_calls(wanted, state_of(request).settings)
    return await streamed(request, None, calls)


def read(ending: str, query: Mapping[str, str], body: bytes) -> CheckRequest:
    """The paragraphs of a document as one request. Raises InputError and FileError."""
    if not ending:
        raise InputError(
            f"Content-Type 应是 {'、'.join(KINDS)} 之一。",
            f"The content type should be one of {', '.join(KINDS)}.",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"document{ending}"
        path.write_bytes(body)
        paragraphs = list(read_document(path).paragraphs.values())
    if not paragraphs:
        raise EmptyTextError
    fields: dict[str, object] = {"text": paragraphs}
    for name in PARAMETERS:
        if name in query:
            try:
                fields[name] = json.loads(query[name])
            except ValueError:
                fields[name] = query[name]  # refused with the reason
    if "keep" in query:
        fields["keep"] = [word for word in query["keep"].split(",") if word.strip()]
    return parse_value(CheckRequest, fields)
