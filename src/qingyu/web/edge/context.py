"""State of one request, from its headers to its log line."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import Scope

from .allowance import Held

KEY = "qingyu"
SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


@dataclass(eq=False)
class RequestContext:
    """Filled in on the way; the gate reads it when the response has gone."""

    request_id: str
    started: float = field(default_factory=time.perf_counter)
    task: str = ""
    model: str = ""
    texts: int = 0
    tokens: int = 0
    client: str = ""  # name of the API key
    error: str = ""  # code of the error answered
    text: str = ""  # only filled when the operator wants texts logged
    charged: int = 0  # tokens taken from the key already
    holds: list[Held] = field(default_factory=list)  # until the answer has been taken

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1e3


def new_id(offered: str | None) -> str:
    """The client's own id where it is a sane one, else a fresh one."""
    if offered is not None and SANE_ID.fullmatch(offered):
        return offered
    return secrets.token_hex(8)


def context_of(request: Request | Scope) -> RequestContext:
    scope = request.scope if isinstance(request, Request) else request
    context: RequestContext = scope[KEY]
    return context
