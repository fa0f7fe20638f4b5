"""One worker a process: it takes jobs from the store and has them worked on, one at a time.

The files are read and written by a process of their own, which may be ended at any moment; what it
asks is answered in the service, by `JobAnswers`. A thread of the worker's own stands between them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

from qingyu.errors import OverloadedError, QingyuError
from qingyu.jobs.apart import Apart, Asked, FailedError, Order, UnexpectedError
from qingyu.jobs.errors import (
    JobNotFoundError,
    JobStateError,
    StoppedError,
    StoreBusyError,
    TooManyBytesError,
)
from qingyu.jobs.lock import Lock
from qingyu.jobs.records import JobRecord
from qingyu.jobs.runner import Progress
from qingyu.jobs.store import Store

from .job_answers import JobAnswers

log = logging.getLogger("qingyu.web")

ROWS = 256  # of a window
CHARACTERS = 20_000
MEMORY = 256 << 20  # bytes of data that reading and writing a file may take
MAX_EXPANSION = 256
SILENT_SECONDS = 300.0  # without a row or a sign of one, a file is given up
SLICE_SECONDS = 60.0  # after which the jobs of others go first
LOOK_SECONDS = 0.2  # between two checks whether the job is to stop
POLL_SECONDS = 1.0
NOTE_SECONDS = 0.5
EXPIRE_SECONDS = 60.0
STOP_SECONDS = 10.0


class JobWorker:
    """`max_bytes`: what the files of all jobs of a key may take."""

    def __init__(self, store: Store, answers: JobAnswers, *, max_bytes: int) -> None:
        self._store = store
        self._answers = answers
        self._max_bytes = max_bytes
        self._wake = asyncio.Event()
        self._stopping = False
        self._thread = ThreadPoolExecutor(1, "qingyu-job")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._run(asyncio.get_running_loop()))

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    async def stop(self) -> None:
        """The job under way is put back, to go on after the next start. Returns soon, whatever the
        job is at."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=STOP_SECONDS)
            self._task.cancel()
        self._thread.shutdown(wait=False)

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        expired = 0.0
        while not self._stopping:
            worked = False
            try:
                if time.monotonic() - expired > EXPIRE_SECONDS:
                    expired = time.monotonic()
                    await loop.run_in_executor(self._thread, self._store.expire)
                worked = await loop.run_in_executor(self._thread, self._work_on_one)
            except StoreBusyError:
                pass
            except Exception:
                log.exception("the job worker failed; it goes on")
            if not worked:
                self._wake.clear()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)

    # -- in the worker's thread -------------------------------------------------------------------

    def _work_on_one(self) -> bool:
        """Whether a job was found and worked on."""
        claimed = self._store.claim(self._answers.is_ready)
        if claimed is None:
            return False
        job, lock = claimed
        try:
            return self._work(job, lock)
        finally:
            lock.release()

    def _work(self, job: JobRecord, lock: Lock) -> bool:
        try:
            self._do(job, lock)
        except StoppedError:
            # Unless it was paused, cancelled or removed meanwhile.
            self._move(job, "queued")
            self._clear(job)
        except JobNotFoundError:
            self._store.files.remove(job.id)
        except UnexpectedError as error:
            log.error("job %s failed unexpectedly: %s", job.id, error)
            self._fail(job, QingyuError("任务意外失败。", "The job failed unexpectedly."))
        except FailedError as error:
            if error.code == "job_running":  # a process that we no longer know still ends
                self._move(job, "queued")
                return False
            self._fail(job, error)
        except QingyuError as error:
            self._fail(job, error)
        except OSError as error:
            log.error("job %s cannot be begun: %s", job.id, error)
            self._move(job, "queued")
            return False
        else:
            self._move(job, "done")
        return True

    def _move(self, job: JobRecord, state: str, **values: Any) -> None:
        """From running to `state`, as soon as the database can be had."""
        while True:
            try:
                with suppress(JobStateError, JobNotFoundError):
                    self._store.change(job.id, ("running",), state, **values)
                return
            except StoreBusyError:
                if self._stopping:  # it is found running, by nobody, after the next start
                    return

    def _clear(self, job: JobRecord) -> None:
        """Remove what was still written after a job was cancelled."""
        with suppress(StoreBusyError):
            try:
                if self._store.get(job.id).state == "cancelled":
                    self._store.files.remove(job.id)
            except JobNotFoundError:
                self._store.files.remove(job.id)

    def _fail(self, job: JobRecord, error: QingyuError) -> None:
        folder = f"{self._store.files.of(job.id)}/"
        zh, en = (text.replace(folder, "") for text in (error.zh, error.en))
        told = {"code": error.code, "message": zh, "message_en": en}
        self._move(job, "failed", error=json.dumps(told, ensure_ascii=False))

    def _do(self, job: JobRecord, lock: Lock) -> None:
        request = self._store.request_of(job.id)
        began = told = time.monotonic()
        progress = Progress(0, 0, 0, 0, 0)
        with closing(Apart(self._order(job, request), [lock.descriptor])) as apart:
            for event in self._events(job, apart):
                if isinstance(event, Asked):
                    apart.answer(self._answers.answer(job, request, event.inputs, self._ended))
                elif isinstance(event, Progress):
                    progress = event
                if not progress.rows:  # what was done before has been passed over by now
                    began = time.monotonic()
                if (now := time.monotonic()) - told > NOTE_SECONDS:
                    self._note(job, progress, now - told)
                    told = now
                    if now - began > SLICE_SECONDS and self._answers.others_wait(job.owner):
                        raise StoppedError
        self._note(job, progress, time.monotonic() - told)

    def _events(self, job: JobRecord, apart: Apart) -> Iterator[Asked | Progress]:
        """What the other process tells, until it is done. Raises StoppedError and FailedError."""
        heard = time.monotonic()
        while True:
            event = apart.next(LOOK_SECONDS)
            if self._ended(job):
                raise StoppedError
            if event is None:
                if time.monotonic() - heard > SILENT_SECONDS:
                    raise FailedError(
                        "file_invalid",
                        f"{SILENT_SECONDS:.0f} 秒内没有读出一行，不再读下去。",
                        f"No row was read for {SILENT_SECONDS:.0f} s; it is read no further.",
                    )
            elif isinstance(event, Asked | Progress):
                heard = time.monotonic()
                yield event
                heard = time.monotonic()
            else:
                return

    def _ended(self, job: JobRecord) -> bool:
        """Whether the job is to stop now."""
        if self._stopping:
            return True
        try:
            return self._store.get(job.id).state != "running"
        except StoreBusyError:
            return False

    def _note(self, job: JobRecord, progress: Progress, seconds: float) -> None:
        with suppress(OverloadedError):
            self._store.note(job.id, progress, seconds)
            if self._store.bytes_of(job.owner) > self._max_bytes:
                raise TooManyBytesError(self._max_bytes)

    def _order(self, job: JobRecord, request: dict[str, Any]) -> Order:
        return Order(
            input=str(self._store.files.input_of(job)),
            output=str(self._store.files.output_of(job)),
            name=job.name,
            task=request["task"],
            model=request["digest"],
            parameters=request["options"],
            column=request["column"],
            pair=request["pair"],
            reading=request.get("reading", {}),
            rows=ROWS,
            characters=CHARACTERS,
            max_characters=self._answers.max_characters,
            max_expansion=MAX_EXPANSION,
            memory=MEMORY,
        )
