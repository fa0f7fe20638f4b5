"""Application state shared by the routes: settings, service, readiness."""

from __future__ import annotations

import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import Scope

from qingyu.errors import OverloadedError, QingyuError
from qingyu.service.equipment import Equipment
from qingyu.service.errands import Errands
from qingyu.service.service import Service
from qingyu.settings import Settings
from qingyu.web.edge.allowance import Allowance
from qingyu.web.edge.metrics import Metrics
from qingyu.web.edge.security import Keys

BODIES_BYTES = 64 << 20
ANSWERS_BYTES = 96 << 20
UNLOAD_SECONDS = 60.0
SMALL_BYTES = 256 << 10  # of one request: so much is never refused for what others hold


@dataclass(eq=False)
class State:
    """default: the name under which the default model is registered
    failure: what kept it from being loaded
    bodies, answers: bytes of the requests being read and of the answers not yet taken
    equipment: memories of phrases, heads and indexes that requests may name
    errands: heads taught and indexes built, one at a time
    reading: the thread in which long bodies are read and long answers written
    streams, streaming: how many answer line by line, and the tokens of the texts they are at
    """

    settings: Settings
    service: Service
    metrics: Metrics
    keys: Keys
    default: str
    equipment: Equipment
    bodies: Allowance = field(default_factory=lambda: Allowance(BODIES_BYTES, SMALL_BYTES))
    answers: Allowance = field(default_factory=lambda: Allowance(ANSWERS_BYTES, SMALL_BYTES))
    reading: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "qingyu-reading"))
    streams: int = 0
    streaming: Allowance = field(init=False)
    errands: Errands = field(init=False)
    _unloaded: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # All streams together hold at most half of the admitted tokens; the rest is for others.
        self.streaming = Allowance(self.service.scheduler.admission.bound // 2, 0)
        self.errands = Errands(self.service)

    ready: bool = False
    draining: bool = False
    failure: QingyuError | None = None

    def spare_unload(self, model: str) -> None:
        """Raises OverloadedError where `model` was unloaded a moment ago: a client that did nothing
        else would have it loaded for everybody again and again."""
        self.service.registry.state(model)  # raises ModelNotFoundError
        now = time.monotonic()
        left = self._unloaded.get(model, now - UNLOAD_SECONDS) + UNLOAD_SECONDS - now
        if left > 0:
            raise OverloadedError(max(1.0, left))
        self._unloaded[model] = now


def state_of(request: Request | Scope) -> State:
    scope = request.scope if isinstance(request, Request) else request
    state: State = scope["app"].state.qingyu
    return state
