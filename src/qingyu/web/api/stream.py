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
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from qingyu.errors import OverloadedError, QingyuError
from qingyu.query import Cost
from qingyu.service.calls import Answer, Call
from qingyu.settings import Settings
from qingyu.web.edge.allowance import Held
from qingyu.web.edge.context import RequestContext, context_of
from qingyu.web.edge.errors import RequestError, error_body
from qingyu.web.state import State, state_of

from .exchange import check_lengths, equipped
from .wire import TaskRequest

KIND = "application/x-ndjson"
AHEAD = 32  # texts of one stream under way at once
AHEAD_BYTES = 1 << 20  # and of their answers
MAX_TEXTS = 10_000
MAX_STREAMS = 32
PATIENCE_SECONDS = 0.25


def wants_lines(request: Request) -> bool:
    return KIND in request.headers.get("accept", "")


def stream_calls(wanted: TaskRequest, settings: Settings) -> list[Call]:
    """Raises InputError and RequestError (too_many_texts, text_too_long)."""
    calls = wanted.calls()
    if len(calls) > MAX_TEXTS:
        raise RequestError(
            "too_many_texts",
            f"一次最多流式回答 {MAX_TEXTS} 条文本，收到 {len(calls)} 条，请分批发送。",
            f"At most {MAX_TEXTS} texts in one stream, not {len(calls)}; send them in parts.",
        )
    check_lengths(calls, settings.max_characters)
    return calls


async def streamed(request: Request, model: str | None, calls: Sequence[Call]) -> Response:
    """The response, begun once the service has room. Raises OverloadedError, ModelNotFoundError."""
    state, context = state_of(request), context_of(request)
    context.model, context.texts = model or state.default, len(calls)
    context.task = calls[0].task
    if state.streams >= MAX_STREAMS:
        raise OverloadedError(PATIENCE_SECONDS)
    state.service.scheduler.check_room()
    state.service.registry.release(await state.service.registry.lease(context.model))
    calls = await equipped(request, calls)
    return StreamingResponse(_lines(state, context, calls), media_type=KIND)


@dataclass(eq=False)
class TextUnderWay:
    """One text under way: what its answer may hold, and the task that computes it."""

    bytes: int
    held: Held
    task: asyncio.Task[Answer]


async def _lines(
    state: State, context: RequestContext, calls: Sequence[Call]
) -> AsyncIterator[bytes]:
    coming = iter(calls)
    under_way: deque[TextUnderWay] = deque()

    async def begin() -> None:
        """As many texts as may be under way at once: what is not read yet is not computed."""
        while len(under_way) < AHEAD and sum(one.bytes for one in under_way) < AHEAD_BYTES:
            if (call := next(coming, None)) is None:
                return
            try:
                cost: Cost | None = await state.service.cost(context.model, [call])
            except QingyuError:  # the same comes again where it is computed, and is told there
                cost = None
            held = state.answers.hold()
            task = asyncio.ensure_future(_patiently(state, context, call, cost, held))
            under_way.append(TextUnderWay(cost.bytes if cost else 0, held, task))

    state.streams += 1
    try:
        index = 0
        await begin()
        while under_way:
            try:
                answer = await under_way[0].task
                yield b'{"index":%d,"result":%b}\n' % (index, answer.body)
                context.tokens += answer.tokens
            except QingyuError as error:
                told = {"index": index, **error_body(error, context.request_id)}
                yield json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
            under_way.popleft().held.release()
            index += 1
            await begin()
        yield b'{"done":true,"tokens":%d}\n' % context.tokens
    finally:  # the client may have left in the middle
        state.streams -= 1
        for one in under_way:
            one.task.cancel()
            one.held.release()


async def _patiently(
    state: State, context: RequestContext, call: Call, cost: Cost | None, held: Held
) -> Answer:
    """One text's answer; a stream that was let in waits where a new request would be refused."""
    timeout = state.settings.timeout
    end = asyncio.get_running_loop().time() + timeout
    share = state.service.scheduler.admission.share
    with state.streaming.hold() as place:
        while True:
            try:
                state.keys.admit(context.client)
                if cost is not None and not place.bytes:
                    place.take(min(cost.tokens, share))
                if cost is not None and not held.bytes:
                    held.take(cost.bytes)
                answer = await state.service.answer(
                    context.model, [call], timeout=timeout, cost=cost
                )
            except OverloadedError:
                if asyncio.get_running_loop().time() > end:
                    raise
                await asyncio.sleep(PATIENCE_SECONDS)
            else:
                state.keys.hold(context, answer[0].tokens)
                return answer[0]
