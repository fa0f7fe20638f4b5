"""What the routes share: settings, the service, and whether it is ready."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Scope

from qingyu.errors import QingyuError
from qingyu.service.service import Service
from qingyu.settings import Settings
from qingyu.web.edge.metrics import Metrics


@dataclass(eq=False)
class State:
    """`default` is the name under which the default model is registered; `failure` is what kept it
    from being loaded."""

    settings: Settings
    service: Service
    metrics: Metrics
    default: str
    ready: bool = False
    draining: bool = False
    failure: QingyuError | None = None


def state_of(request: Request | Scope) -> State:
    scope = request.scope if isinstance(request, Request) else request
    found: State = scope["app"].state.qingyu
    return found
