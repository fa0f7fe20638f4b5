"""/v1/jobs: a file in, its answers out, in the background; jobs survive restarts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from starlette.responses import Response

from qingyu.errors import InputError, OverloadedError
from qingyu.jobs.errors import (
    FilesMissingError,
    JobStateError,
    StoreError,
    TooManyBytesError,
)
from qingyu.jobs.records import ENDED, JobRecord, ending_of
from qingyu.jobs.sources import written_as
from qingyu.service.job_answers import call_of
from qingyu.tasks.registry import SAMPLE
from qingyu.web.edge.context import context_of
from qingyu.web.edge.errors import ErrorResponse, RequestError
from qingyu.web.edge.upload import receive
from qingyu.web.jobs import Jobs
from qingyu.web.state import state_of

from .exchange import ERRORS, body_of, equipped, received
from .job_messages import JobRequest, JobResponse, JobsResponse, told_of
from .tasks import BY_TASK
from .validation import parse, parse_value
from .wire import NAMING

PAGE = 100
MAX_UPLOADS = 4  # of one owner at once
RETRY_SECONDS = 5.0
SAMPLE_TEXTS = (SAMPLE,)
STATE = {"model": ErrorResponse, "description": "任务的状态不允许 / not in its present state"}
router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses={**ERRORS, 409: STATE})


BODY = JobRequest


def jobs_of(request: Request) -> Jobs:
    jobs: Jobs | None = request.app.state.jobs
    if jobs is None:
        raise RequestError(
            "jobs_disabled",
            "此服务没有开启批量任务（QINGYU_JOBS=目录）。",
            "This service takes no jobs (set QINGYU_JOBS to a folder).",
        )
    return jobs


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
    await equipped(request, [call_of(stored, SAMPLE_TEXTS)])  # raises where it names what is not
    job = await jobs.call(
        jobs.store.create,
        context_of(request).client,
        Path(wanted.name).name,
        stored,
        wanted.output or written_as(ending_of(wanted.name)),
        jobs.bounds,
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
    clash = sorted({*texts, "model", "query", "texts", *NAMING} & wanted.options.keys())
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
        "reading": wanted.reading,
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
    record = await _find(request, job)
    if record.state != "uploading":
        raise JobStateError(record.state)
    limit = jobs.settings.max_job_bytes
    if await jobs.call(jobs.store.bytes_of, record.owner) >= limit:
        raise TooManyBytesError(limit)
    if jobs.uploads[record.owner] >= MAX_UPLOADS:
        raise OverloadedError(RETRY_SECONDS)
    part = jobs.store.files.part_of(record)
    jobs.uploads[record.owner] += 1
    try:
        size = await receive(request, part, jobs.settings.max_upload, jobs.settings.body_timeout)
        if await jobs.call(jobs.store.bytes_of, record.owner) > limit:
            raise TooManyBytesError(limit)
        changed = await jobs.call(jobs.store.receive, record, part, size)
    except OSError as error:
        await _find(request, job)  # removed meanwhile, with its folder
        raise StoreError(error.strerror or str(error), full=True) from error
    finally:
        jobs.uploads[record.owner] -= 1
        part.unlink(missing_ok=True)
    jobs.worker.wake()
    return _answer(changed)


@router.get("", summary="所有任务 / all jobs", response_model=JobsResponse)
async def all_jobs(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> JobsResponse:
    """Newest first, a page at a time; none where the service takes no jobs."""
    if request.app.state.jobs is None:
        return JobsResponse(jobs=[], next=None, enabled=False)
    jobs = jobs_of(request)
    records = await jobs.call(jobs.store.page, context_of(request).client, limit + 1, after)
    shown = records[:limit]
    following = shown[-1].id if len(records) > limit else None
    return JobsResponse(jobs=[told_of(job) for job in shown], next=following)


@router.get("/{job}", summary="一个任务 / one job", response_model=JobResponse)
async def one(request: Request, job: str) -> JobResponse:
    return told_of(await _find(request, job))


@router.post("/{job}/pause", summary="暂停 / pause", response_model=JobResponse)
async def pause(request: Request, job: str) -> JobResponse:
    return await _move(request, job, ("queued", "running"), "paused")


@router.post("/{job}/resume", summary="继续 / go on", response_model=JobResponse)
async def resume(request: Request, job: str) -> JobResponse:
    """From where it stood; a failed job may be tried again, too."""
    record = await _move(request, job, ("paused", "failed"), "queued", error=None)
    jobs_of(request).worker.wake()
    return record


@router.post("/{job}/cancel", summary="取消 / cancel", response_model=JobResponse)
async def cancel(request: Request, job: str) -> JobResponse:
    return await _move(request, job, ("uploading", "queued", "running", "paused"), "cancelled")


@router.delete("/{job}", status_code=204, summary="删除 / forget", response_model=None)
async def delete(request: Request, job: str) -> Response:
    record = await _find(request, job)
    if record.state not in ENDED:
        raise JobStateError(record.state)
    await jobs_of(request).call(jobs_of(request).store.remove, job)
    return Response(status_code=204)


@router.get("/{job}/output", summary="结果 / its answers", response_model=None)
async def output(request: Request, job: str) -> Response:
    record = await _find(request, job)
    if record.state != "done":
        raise JobStateError(record.state)
    path = jobs_of(request).store.files.output_of(record)
    if not path.is_file():
        raise FilesMissingError
    name = f"{record.name.partition('.')[0]}-{record.task}.{record.output}"
    return FileResponse(path, filename=name, media_type=_kind(record.output))


@router.get("/{job}/errors", summary="坏行 / its bad rows", response_model=None)
async def errors(request: Request, job: str) -> Response:
    """A line of JSON for each; none is an empty answer."""
    record = await _find(request, job)
    if record.state != "done":
        raise JobStateError(record.state)
    files = jobs_of(request).store.files
    if not files.output_of(record).is_file():
        raise FilesMissingError
    path = files.errors_of(record)
    if not path.is_file():
        return Response(b"", media_type="application/x-ndjson")
    return FileResponse(path, media_type="application/x-ndjson")


async def _find(request: Request, job: str) -> JobRecord:
    jobs = jobs_of(request)
    return await jobs.call(jobs.store.get, job, context_of(request).client)


async def _move(
    request: Request, job: str, allowed: tuple[str, ...], state: str, **values: Any
) -> JobResponse:
    await _find(request, job)
    jobs = jobs_of(request)
    return told_of(await jobs.call(jobs.store.change, job, allowed, state, **values))


def _kind(ending: str) -> str:
    kinds = {"csv": "text/csv", "jsonl": "application/x-ndjson", "txt": "text/plain"}
    return kinds.get(ending, "application/octet-stream")


def _answer(job: JobRecord, status: int = 200) -> Response:
    return Response(told_of(job).model_dump_json(), status, media_type="application/json")
