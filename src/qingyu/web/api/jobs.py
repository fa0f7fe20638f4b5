"""/v1/jobs: a file in, its answers out, in the background; jobs survive restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.responses import Response

from qingyu.errors import InputError
from qingyu.jobs.errors import JobStateError, WriteError
from qingyu.jobs.store import ENDED, JobRecord, Store, ending_of
from qingyu.service.job_worker import JobWorker
from qingyu.settings import Settings
from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import ErrorResponse, RequestError
from qingyu.web.edge.upload import receive
from qingyu.web.state import State, state_of

from .exchange import ERRORS, body_of, received
from .tasks import BY_TASK
from .validation import parse, parse_value
from .wire import Strict

SAMPLE = "今天天气真[MASK]啊。"

STATE = {"model": ErrorResponse, "description": "任务的状态不允许 / not in its present state"}
router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses={**ERRORS, 409: STATE})


class JobRequest(Strict):
    """What to do with the file that is sent next."""

    task: str = Field(description="任务，如 fill-mask / task", examples=["fill-mask"])
    name: str = Field(
        min_length=1, max_length=255, description="文件名，后缀决定格式 / its ending is its format"
    )
    model: str | None = None
    column: str | None = Field(default=None, description="读哪一列 / column to read")
    pair: str | None = Field(default=None, description="句对的第二列 / second column, for pairs")
    options: dict[str, Any] = Field(
        default_factory=dict, description="任务的参数，同 /v1/<task> / as in /v1/<task>"
    )
    output: str | None = Field(
        default=None, max_length=16, description="输出的后缀，默认同输入 / ending of the output"
    )
    encoding: Literal["auto", "utf-8", "gb18030"] = "auto"
    header: bool = True


BODY = JobRequest


class JobError(BaseModel):
    code: str
    message: str
    message_en: str


class JobResponse(BaseModel):
    id: str
    name: str
    task: str
    model: str
    output: str
    state: Literal["uploading", "queued", "running", "paused", "done", "failed", "cancelled"]
    created: float = Field(description="秒，自 1970 年 / seconds since 1970")
    updated: float
    rows: int = Field(description="已处理的行，含坏行 / rows done, bad ones included")
    failed: int = Field(description="坏行 / bad rows")
    progress: float = Field(description="0 到 1，按输入的字节 / share of the input read")
    rows_per_second: float | None
    seconds_left: float | None
    error: JobError | None = Field(description="失败的原因 / why it failed")


class JobsResponse(BaseModel):
    jobs: list[JobResponse]


class Jobs:
    """The store of this service and its worker."""

    def __init__(self, state: State, folder: Path) -> None:
        settings = state.settings
        self.settings: Settings = settings
        self.store = Store(folder, days=settings.job_days)
        self.worker = JobWorker(state.service, self.store, settings.max_characters)


@asynccontextmanager
async def working(app_state: Any, state: State) -> AsyncIterator[None]:
    """Jobs while the service runs, if it has a folder for them."""
    app_state.jobs = None
    if state.settings.jobs is None:
        yield
        return
    jobs = app_state.jobs = Jobs(state, state.settings.jobs)
    jobs.worker.start()
    try:
        yield
    finally:
        await jobs.worker.stop()
        jobs.store.close()


def jobs_of(request: Request) -> Jobs:
    found: Jobs | None = request.app.state.jobs
    if found is None:
        raise RequestError(
            "jobs_disabled",
            "此服务没有开启批量任务（QINGYU_JOBS=目录）。",
            "This service takes no jobs (set QINGYU_JOBS to a folder).",
        )
    return found


@router.post(
    "",
    status_code=201,
    summary="新任务 / a new job",
    response_model=None,
    responses={201: {"model": JobResponse}, **ERRORS},
    openapi_extra=body_of(JobRequest),
)
async def create(request: Request) -> Response:
    jobs, state = jobs_of(request), state_of(request)
    wanted = await received(request, partial(parse, JobRequest))
    name = wanted.model or state.default
    loaded = await state.service.registry.lease(name)
    try:
        digest = loaded.model.digest
    finally:
        state.service.registry.release(loaded)
    stored = {**_checked(wanted), "model": name, "digest": digest}
    job = await asyncio.to_thread(
        jobs.store.create,
        context_of(request).client,
        Path(wanted.name).name,
        stored,
        wanted.output or ending_of(wanted.name),
        limit=jobs.settings.max_jobs,
    )
    return _answer(job, 201)


def _checked(wanted: JobRequest) -> dict[str, Any]:
    """The request as it is stored. Raises RequestError where the task's own request would."""
    row = BY_TASK.get(wanted.task)
    if row is None:
        raise InputError(
            f"没有任务 {wanted.task}；可用：{'、'.join(BY_TASK)}。",
            f"No task {wanted.task}; there are: {', '.join(BY_TASK)}.",
        )
    pair = row.task.pair == "always" or wanted.pair is not None
    texts = {"text": SAMPLE, **({"text_pair": SAMPLE} if pair else {})}
    clash = sorted({*texts, "model", "query", "texts"} & wanted.options.keys())
    if clash:
        raise InputError(
            f"options 中不应有 {clash[0]}。", f"{clash[0]} does not belong in options."
        )
    (call,) = parse_value(row.request, {**wanted.options, **texts}).calls()
    return {
        "task": call.task,
        "inputs": call.inputs[len(texts) :],
        "parameters": call.parameters,
        "options": wanted.options,
        "column": wanted.column,
        "pair": wanted.pair,
        "encoding": wanted.encoding,
        "header": wanted.header,
    }


@router.put(
    "/{job}/input",
    summary="上传文件 / send its file",
    response_model=None,
    responses={200: {"model": JobResponse}, **ERRORS},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def upload(request: Request, job: str) -> Response:
    jobs = jobs_of(request)
    found = await _find(request, job)
    if found.state != "uploading":
        raise JobStateError(found.state)
    part = jobs.store.part_of(found)
    try:
        size = await receive(request, part, jobs.settings.max_upload, jobs.settings.body_timeout)
        changed = await asyncio.to_thread(jobs.store.receive, job, part, size)
    except OSError as error:
        await _find(request, job)  # removed meanwhile, with its folder
        raise WriteError(part, error) from error
    finally:
        part.unlink(missing_ok=True)
    jobs.worker.wake()
    return _answer(changed)


@router.get("", summary="所有任务 / all jobs", response_model=JobsResponse)
async def all_jobs(request: Request) -> JobsResponse:
    store = jobs_of(request).store
    found = await asyncio.to_thread(store.all_of, context_of(request).client)
    return JobsResponse(jobs=[_told(job) for job in found])


@router.get("/{job}", summary="一个任务 / one job", response_model=JobResponse)
async def one(request: Request, job: str) -> JobResponse:
    return _told(await _find(request, job))


@router.post("/{job}/pause", summary="暂停 / pause", response_model=JobResponse)
async def pause(request: Request, job: str) -> JobResponse:
    return await _move(request, job, ("queued", "running"), "paused")


@router.post("/{job}/resume", summary="继续 / go on", response_model=JobResponse)
async def resume(request: Request, job: str) -> JobResponse:
    """From where it stood; a failed job may be tried again, too."""
    found = await _move(request, job, ("paused", "failed"), "queued", error=None)
    jobs_of(request).worker.wake()
    return found


@router.post("/{job}/cancel", summary="取消 / cancel", response_model=JobResponse)
async def cancel(request: Request, job: str) -> JobResponse:
    return await _move(request, job, ("uploading", "queued", "running", "paused"), "cancelled")


@router.delete("/{job}", status_code=204, summary="删除 / forget", response_model=None)
async def delete(request: Request, job: str) -> Response:
    found = await _find(request, job)
    if found.state not in ENDED:
        raise JobStateError(found.state)
    await asyncio.to_thread(jobs_of(request).store.remove, job)
    return Response(status_code=204)


@router.get("/{job}/output", summary="结果 / its answers", response_model=None)
async def output(request: Request, job: str) -> Response:
    found = await _find(request, job)
    if found.state != "done":
        raise JobStateError(found.state)
    store = jobs_of(request).store
    name = f"{found.name.partition('.')[0]}-{found.request['task']}.{found.output}"
    return FileResponse(store.output_of(found), filename=name, media_type=_kind(found.output))


@router.get("/{job}/errors", summary="坏行 / its bad rows", response_model=None)
async def errors(request: Request, job: str) -> Response:
    """A line of JSON for each; none is an empty answer."""
    found = await _find(request, job)
    if found.state != "done":
        raise JobStateError(found.state)
    path = jobs_of(request).store.errors_of(found)
    if not path.exists():
        return Response(b"", media_type="application/x-ndjson")
    return FileResponse(path, media_type="application/x-ndjson")


async def _find(request: Request, job: str) -> JobRecord:
    store = jobs_of(request).store
    return await asyncio.to_thread(store.get, job, context_of(request).client)


async def _move(
    request: Request, job: str, allowed: tuple[str, ...], state: str, **values: Any
) -> JobResponse:
    await _find(request, job)
    change = jobs_of(request).store.change
    return _told(await asyncio.to_thread(change, job, allowed, state, **values))


def _kind(ending: str) -> str:
    kinds = {"csv": "text/csv", "jsonl": "application/x-ndjson", "txt": "text/plain"}
    return kinds.get(ending, "application/octet-stream")


def _answer(job: JobRecord, status: int = 200) -> Response:
    return Response(_told(job).model_dump_json(), status, media_type="application/json")


def _told(job: JobRecord) -> JobResponse:
    share = job.read_bytes / job.total_bytes if job.total_bytes else 0.0
    working = job.state == "running" and share > 0
    return JobResponse(
        id=job.id,
        name=job.name,
        task=job.request["task"],
        model=job.request["model"],
        output=job.output,
        state=job.state,  # type: ignore[arg-type]  # the store holds no other
        created=job.created,
        updated=job.updated,
        rows=job.rows,
        failed=job.failed,
        progress=1.0 if job.state == "done" else min(1.0, share),
        rows_per_second=job.rows / job.seconds if job.seconds else None,
        seconds_left=job.seconds * (1 - share) / share if working else None,
        error=None if job.error is None else JobError(**job.error),
    )
