"""One worker a process: it takes jobs from the store and answers them when nobody else asks.

Reading and writing happen in a thread; answering happens in the service, a few texts at a time, and
each time only after whoever waits for an answer has had it, for a while at most.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from qingyu.errors import InputError, OverloadedError, QingyuError
from qingyu.jobs.columns import Inputs
from qingyu.jobs.errors import JobNotFoundError, JobStateError, StoppedError
from qingyu.jobs.lock import Lock
from qingyu.jobs.paths import lay_out
from qingyu.jobs.runner import Job, Progress, locally, run
from qingyu.jobs.store import JobRecord, Store
from qingyu.jobs.windows import Answering, Limits, Outcome, Texts
from qingyu.service.calls import Call
from qingyu.service.errors import StoppingError
from qingyu.service.service import Service

log = logging.getLogger("qingyu.web")

LIMITS = Limits(rows=256, characters=20_000)
TURN_CHARACTERS = 256  # texts of about so much are answered between two looks at who else waits
POLITE_SECONDS = 1.0  # the longest a job steps back before it takes a turn all the same
LOOK_SECONDS = 0.005
POLL_SECONDS = 1.0
NOTE_SECONDS = 0.5
EXPIRE_SECONDS = 60.0


class JobWorker:
    def __init__(self, service: Service, store: Store, max_characters: int) -> None:
        self._service = service
        self._store = store
        self._max_characters = max_characters
        self._wake = asyncio.Event()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(self._run())

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    async def stop(self) -> None:
        """The job under way is put back, to go on after the next start."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        expired = 0.0
        while not self._stopping:
            try:
                if time.monotonic() - expired > EXPIRE_SECONDS:
                    expired = time.monotonic()
                    await asyncio.to_thread(self._store.expire)
                if (claimed := await asyncio.to_thread(self._store.claim)) is not None:
                    await asyncio.to_thread(self._work, *claimed)
                    continue
            except Exception:
                log.exception("the job worker failed; it goes on")
            self._wake.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)

    # -- in a thread ------------------------------------------------------------------------------

    def _work(self, job: JobRecord, lock: Lock) -> None:
        try:
            self._do(job)
        except StoppedError:
            # Unless it was paused, cancelled or removed meanwhile.
            with suppress(JobStateError, JobNotFoundError):
                self._store.change(job.id, ("running",), "queued")
        except JobNotFoundError:
            pass
        except QingyuError as error:
            self._fail(job, error)
        except Exception:
            log.exception("job %s failed unexpectedly", job.id)
            self._fail(job, QingyuError("任务意外失败。", "The job failed unexpectedly."))
        else:
            with suppress(JobStateError, JobNotFoundError):
                self._store.change(job.id, ("running",), "done")
        finally:
            lock.release()

    def _fail(self, job: JobRecord, error: QingyuError) -> None:
        told = {"code": error.code, "message": error.zh, "message_en": error.en}
        with suppress(JobStateError, JobNotFoundError):
            text = json.dumps(told, ensure_ascii=False)
            self._store.change(job.id, ("running",), "failed", error=text)

    def _do(self, job: JobRecord) -> None:
        request = job.request
        layout = lay_out(
            str(self._store.input_of(job)),
            self._store.output_of(job),
            encoding=request["encoding"],
            header=request["header"],
        )
        planned = Job(
            request["task"],
            layout,
            request["digest"],
            request["options"],
            request["column"],
            request["pair"],
            limits=LIMITS,
            force=True,  # the folder is this job's own; a model that changed begins again
        )
        told = time.monotonic()

        def report(progress: Progress) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told > NOTE_SECONDS or progress.read_bytes >= progress.total_bytes:
                self._store.note(job.id, progress, now - told)
                told = now

        def answering(inputs: Inputs) -> Answering:
            def ask(texts: Sequence[Texts]) -> Sequence[Outcome]:
                return self._ask(job, texts)

            return Answering(ask, inputs, max_characters=self._max_characters)

        run(planned, locally(answering), report=report)

    def _ask(self, job: JobRecord, inputs: Sequence[Texts]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for some in _turns(inputs):
            if self._stopping or self._store.get(job.id).state != "running":
                raise StoppedError
            if self._loop is None:
                raise StoppedError
            calls = [_call(job.request, texts) for texts in some]
            answers = self._take_turn(job.request["model"], calls)
            outcomes += asyncio.run_coroutine_threadsafe(answers, self._loop).result()
        return outcomes

    # -- on the loop ------------------------------------------------------------------------------

    async def _take_turn(self, model: str, calls: list[Call]) -> list[Outcome]:
        end = time.monotonic() + POLITE_SECONDS
        scheduler = self._service.scheduler
        while scheduler.queued_tokens and time.monotonic() < end:  # noqa: ASYNC110 no event there
            await asyncio.sleep(LOOK_SECONDS)
        return await asyncio.gather(*(self._answer(model, call) for call in calls))

    async def _answer(self, model: str, call: Call) -> Outcome:
        while True:
            try:
                (answer,) = await self._service.answer(model, [call])
            except OverloadedError:
                await asyncio.sleep(POLITE_SECONDS / 4)
            except InputError as error:
                return error
            except StoppingError:
                raise StoppedError from None
            else:
                found: dict[str, Any] = json.loads(answer.body)
                return found
            if self._stopping:
                raise StoppedError


def _call(request: dict[str, Any], texts: Texts) -> Call:
    template = Call(
        request["task"],
        tuple(_fixed(one) for one in request["inputs"]),
        tuple((name, _fixed(value)) for name, value in request["parameters"]),
    )
    return replace(template, inputs=(*texts, *template.inputs))


def _fixed(value: Any) -> Any:
    """What came back from JSON, as a call can hold it."""
    return tuple(_fixed(one) for one in value) if isinstance(value, list) else value


def _turns(inputs: Sequence[Texts]) -> Iterator[list[Texts]]:
    some: list[Texts] = []
    characters = 0
    for texts in inputs:
        some.append(texts)
        characters += sum(map(len, texts))
        if characters >= TURN_CHARACTERS:
            yield some
            some, characters = [], 0
    if some:
        yield some
