"""Many texts in one request, answered line by line as they are done.

A request to /v1/<task> with `Accept: application/x-ndjson` is answered in lines, in the order of
its texts: `{"index": 0, "result": {...}}`, or `{"index": 1, "error": {...}}` for a text that cannot
be answered, while the others still are. The last line is `{"done": true, "tokens": n}`.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from qingyu.errors import OverloadedError, QingyuError
from qingyu.service.calls import Answer, Call
from qingyu.web.edge.context import RequestContext, context_of
from qingyu.web.edge.errors import error_body
from qingyu.web.state import State, state_of

from .exchange import check_limits

KIND = "application/x-ndjson"
AHEAD = 32  # texts of one stream under way at once
PATIENCE_SECONDS = 0.25


def wants_lines(request: Request) -> bool:
    return KIND in request.headers.get("accept", "")


async def streamed(request: Request, model: str | None, calls: Sequence[Call]) -> Response:
    """The response, begun once the service has room. Raises OverloadedError, ModelNotFoundError."""
    state, context = state_of(request), context_of(request)
    context.model, context.texts = model or state.default, len(calls)
    context.task = calls[0].task
    check_limits(calls, len(calls), state.settings.max_characters)
    state.service.scheduler.check_room()
    state.service.registry.release(await state.service.registry.lease(context.model))
    return StreamingResponse(_lines(state, context, calls), media_type=KIND)


async def _lines(
    state: State, context: RequestContext, calls: Sequence[Call]
) -> AsyncIterator[bytes]:
    coming = iter(calls)
    under_way: deque[asyncio.Task[Answer]] = deque()

    def send_next() -> None:
        if (call := next(coming, None)) is not None:
            under_way.append(asyncio.ensure_future(_patiently(state, context.model, call)))

    try:
        for _ in range(AHEAD):
            send_next()
        index = 0
        while under_way:
            task = under_way[0]
            try:
                answer = await task
                yield b'{"index":%d,"result":%b}\n' % (index, answer.body)
                context.tokens += answer.tokens
            except QingyuError as error:
                told = {"index": index, **error_body(error, context.request_id)}
                yield json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
            under_way.popleft()
            send_next()
            index += 1
        yield b'{"done":true,"tokens":%d}\n' % context.tokens
    finally:  # the client may have left in the middle
        for task in under_way:
            task.cancel()


async def _patiently(state: State, model: str, call: Call) -> Answer:
    """One text's answer; a stream that was let in waits where a new request would be refused."""
    timeout = state.settings.timeout
    end = asyncio.get_running_loop().time() + timeout
    while True:
        try:
            return (await state.service.answer(model, [call], timeout=timeout))[0]
        except OverloadedError:
            if asyncio.get_running_loop().time() > end:
                raise
            await asyncio.sleep(PATIENCE_SECONDS)
