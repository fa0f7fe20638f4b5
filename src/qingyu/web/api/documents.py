"""A document checked over HTTP, answered paragraph by paragraph as it is read.

`POST /v1/check/document` takes the file itself: plain text, Markdown or .docx by its content type.
It is answered in lines, as `stream.py` says, a line for each paragraph that has something in it.
Parameters of the task are those of the query: `?threshold=0.6&keep=轻语,青雨`.

`POST /v1/check/document/changed` gives a Word document in which changes that were decided on are
tracked changes.
"""

from __future__ import annotations

import base64
import binascii
import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from qingyu.errors import EmptyTextError, InputError
from qingyu.jobs.document import Change
from qingyu.jobs.documents import read_document
from qingyu.jobs.word_document import new_document
from qingyu.web.state import state_of

from .exchange import ERRORS, body_of, received
from .stream import KIND, stream_calls, streamed
from .validation import parse, parse_value
from .wire import Strict
from .wire_check import CheckRequest

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
KINDS = {"text/plain": ".txt", "text/markdown": ".md", WORD: ".docx"}
PARAMETERS = ("top_k", "threshold", "check_punctuation")
MAX_CHANGES = 1 << 20  # bytes of them
LISTS = ("keep", "keep_lists")  # parts of these by commas

router = APIRouter(prefix="/v1", tags=["tasks"])


class OneChange(Strict):
    """A change in a paragraph; places count code points of its text."""

    paragraph: int = Field(ge=1, description="第几段，从 1 起 / number of the paragraph")
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    text: str = Field(description="换成什么 / what comes there")


class ChangedRequest(Strict):
    """A document and the changes to track in it, in order."""

    document: str | None = Field(
        default=None, description="原来的 .docx，Base64 / the .docx as it was, in Base64"
    )
    text: str | None = Field(
        default=None, description="或原文，一行一段 / or the text as it was, a paragraph a line"
    )
    changes: list[OneChange] = Field(default=[], max_length=10_000, fail_fast=True)


BODY = ChangedRequest


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
            for name in (*PARAMETERS, *LISTS)
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
    settings = state_of(request).settings
    wanted = await received(request, make, *KINDS, most=settings.max_document)
    calls = stream_calls(wanted, settings)
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
    for name in LISTS:
        if name in query:
            fields[name] = [word for word in query[name].split(",") if word.strip()]
    return parse_value(CheckRequest, fields)


@router.post(
    "/check/document/changed",
    summary="把决定好的改动写成 Word 修订 / changes as tracked changes of a Word document",
    response_model=None,
    responses={
        200: {"content": {WORD: {"schema": {"type": "string", "format": "binary"}}}},
        **ERRORS,
    },
    openapi_extra=body_of(ChangedRequest),
)
async def changed_document(request: Request) -> Response:
    most = base64_size(state_of(request).settings.max_document)
    return Response(await received(request, changed, most=most), media_type=WORD)


def base64_size(size: int) -> int:
    """Bytes of a ChangedRequest with a document of so many, and room for its changes."""
    return 4 * -(-size // 3) + MAX_CHANGES


def changed(body: bytes) -> bytes:
    """The Word document that a ChangedRequest asks for. Raises InputError and FileError."""
    wanted = parse(ChangedRequest, body)
    if (wanted.document is None) == (wanted.text is None):
        raise InputError("请给出 document 或 text 之一。", "Send either document or text.")
    try:
        data = (
            base64.b64decode(wanted.document, validate=True)
            if wanted.document is not None
            else new_document((wanted.text or "").split("\n"))
        )
    except binascii.Error as error:
        raise InputError("document 不是 Base64。", "document is not Base64.") from error
    changes: dict[int, list[Change]] = {}
    for one in wanted.changes:
        changes.setdefault(one.paragraph, []).append(Change(one.start, one.end, one.text))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document.docx"
        path.write_bytes(data)
        read_document(path).write(path, changes)
        return path.read_bytes()
