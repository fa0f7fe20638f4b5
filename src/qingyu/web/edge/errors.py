"""One table from error to status, and the one JSON shape of an error.

{"error": {"code": "no_mask", "message": "...", "message_en": "...", "request_id": "..."}}

and, where one of several texts is at fault, its "index" from 0.
"""

from __future__ import annotations

import json
import math

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Scope

from qingyu.errors import OverloadedError, QingyuError
from qingyu.service.errors import ItemError

# By code, so that an error keeps its status however it is wrapped. What is not here is 500.
STATUS = {
    "malformed_json": 400,
    "not_utf8": 400,
    "bad_request": 400,
    "unauthorized": 401,
    "foreign_host": 403,
    "foreign_origin": 403,
    "model_not_found": 404,
    "not_found": 404,
    "phrases_not_found": 404,
    "phrases_disabled": 404,
    "head_not_found": 404,
    "head_disabled": 404,
    "index_not_found": 404,
    "index_disabled": 404,
    "words_not_found": 404,
    "words_disabled": 404,
    "jobs_disabled": 404,
    "job_not_found": 404,
    "job_files_missing": 404,
    "method_not_allowed": 405,
    "body_timeout": 408,
    "model_pinned": 409,
    "job_state": 409,
    "body_too_large": 413,
    "request_too_large": 413,
    "unsupported_media_type": 415,
    "invalid_request": 422,
    "invalid_input": 422,
    "file_invalid": 422,
    "empty_text": 422,
    "no_mask": 422,
    "too_many_masks": 422,
    "text_too_long": 422,
    "too_many_texts": 422,
    "task_not_supported": 422,
    "overloaded": 429,
    "rate_limited": 429,
    "too_many_jobs": 429,
    "too_many_bytes": 429,
    "client_gone": 499,
    "service_unavailable": 503,
    "bundle_invalid": 503,
    "phrases_invalid": 503,
    "deadline_exceeded": 503,
    "inference_failed": 503,
    "memory_budget_exceeded": 503,
    "not_ready": 503,
    "jobs_busy": 503,
    "jobs_unavailable": 503,
    "write_failed": 507,
    "stopping": 503,
}

FOREIGN = (
    "/v2",
    "/models/",
    "/pipeline/",
    "/embed",
    "/rerank",
)  # other protocols' own shape of an error


class ErrorDetail(BaseModel):
    code: str = Field(description="稳定的错误码，供程序判断 / stable, for programs")
    message: str
    message_en: str
    request_id: str
    index: int | None = Field(
        default=None,
        description="多条文本中出错的是第几条，从 0 数 / which of several texts, from 0",
    )


class ErrorResponse(BaseModel):
    error: ErrorDetail


class ForeignErrorResponse(BaseModel):
    """What clients of other services' protocols read: a string."""

    error: str
    code: str
    request_id: str
    index: int | None = None


class RequestError(QingyuError):
    """A request that HTTP, not the task, finds wrong."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.code = code


class RateLimitedError(OverloadedError):
    """An API key has used up its tokens for now."""

    code = "rate_limited"


def body_too_large(limit: int) -> RequestError:
    return RequestError(
        "body_too_large",
        f"请求体超过 {limit} 字节，请分批发送。",
        f"The body is larger than {limit} bytes; send it in parts.",
    )


def internal() -> RequestError:
    return RequestError(
        "internal", "服务内部错误，已记录。", "Something went wrong here; it has been logged."
    )


def of_status(status: int) -> RequestError:
    """What the router itself refuses: paths and methods that are not there."""
    if status == 404:
        return RequestError("not_found", "没有这个地址，见 /docs。", "No such address; see /docs.")
    if status == 405:
        return RequestError(
            "method_not_allowed", "此地址不支持该方法。", "This address does not take that method."
        )
    if status >= 500:
        return internal()
    return RequestError("bad_request", "请求有误。", "The request is wrong.")


def error_body(error: QingyuError, request_id: str, *, flat: bool = False) -> dict[str, object]:
    """`flat` is the shape of other services' protocols, whose clients expect a string."""
    place = {"index": error.index} if isinstance(error, ItemError) else {}
    if flat:
        text = f"{error.zh} {error.en}"
        return {"error": text, "code": error.code, "request_id": request_id, **place}
    return {
        "error": {
            "code": error.code,
            "message": error.zh,
            "message_en": error.en,
            "request_id": request_id,
            **place,
        }
    }


def error_response(
    error: QingyuError, scope: Scope, request_id: str, *, status: int | None = None
) -> Response:
    """The error as JSON, with `Retry-After` where coming back helps."""
    flat = scope["path"].startswith(FOREIGN)
    headers = {}
    cause = error if isinstance(error, OverloadedError) else error.__cause__
    if isinstance(cause, OverloadedError):
        headers["retry-after"] = str(math.ceil(cause.retry_after))
    if error.code == "unauthorized":
        headers["www-authenticate"] = "Bearer"
    content = json.dumps(error_body(error, request_id, flat=flat), ensure_ascii=False)
    # A lone surrogate quoted from the request has no UTF-8; it becomes a question mark.
    return Response(
        content.encode("utf-8", "replace"),
        STATUS.get(error.code, 500) if status is None else status,
        headers,
        "application/json",
    )
