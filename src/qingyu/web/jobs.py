"""The jobs of this service: their store, and the worker that answers them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from qingyu.errors import QingyuError
from qingyu.jobs.records import Bounds
from qingyu.jobs.store import Store
from qingyu.service.job_answers import JobAnswers
from qingyu.service.job_worker import JobWorker
from qingyu.settings import Settings
from qingyu.web.state import State

P = ParamSpec("P")
T = TypeVar("T")
THREADS = 2


class Jobs:
    """The store of this service and its worker."""

    def __init__(self, state: State, store: Store) -> None:
        settings = state.settings
        self.settings: Settings = settings
        self.store = store
        self.bounds = Bounds(settings.max_jobs, settings.max_kept_jobs)
        self.answers = JobAnswers(
            state.service,
            self.store,
            state.keys,
            state.equipment,
            max_characters=settings.max_characters,
        )
        self.worker = JobWorker(self.store, self.answers, max_bytes=settings.max_job_bytes)
        self.uploads: Counter[str] = Counter()  # under way, by owner
        # Threads of its own: a database that is held holds nothing else up.
        self._threads = ThreadPoolExecutor(THREADS, "qingyu-jobs")

    async def call(self, method: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """A method of the store, off the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(method, *args, **named))

    async def stop(self) -> None:
        await self.worker.stop()
        self._threads.shutdown(wait=False)
        self.store.close()


@asynccontextmanager
async def working(app_state: Any, state: State, folder: Path) -> AsyncIterator[None]:
    """Jobs in `folder` while the service runs."""
    try:
        store = await asyncio.to_thread(Store, folder, days=state.settings.job_days)
    except QingyuError as error:  # told by who started us, without a traceback
        state.failure = state.failure or error
        yield
        return
    jobs = app_state.jobs = Jobs(state, store)
    jobs.worker.start()
    try:
        yield
    finally:
        await jobs.stop()
