"""The HTTP interface as a Ray Serve application: the same routes, many replicas.

    serve run qingyu.scale.serve:application max_replicas=8 cpus=2

Each replica is the whole service of one process, with its own model, queue and cache. How many
there are follows the tokens that wait in them, the unit in which everything here is counted.
Settings come from the environment (`QINGYU_...`) of the replicas.
"""

from __future__ import annotations

import math
from typing import Any

from qingyu import bundle
from qingyu.errors import InputError
from qingyu.settings import Settings
from qingyu.web.app import Application, create_app

from .actors import memory_bytes

QUEUED_TOKENS = "queued_tokens"
DEFAULTS = {"min_replicas": 1, "max_replicas": 4, "cpus": 1, "target_tokens": 256}


class TokensPolicy:
    """As many replicas as it takes for each to have `target_tokens` waiting; one step down at a
    time, and up at most to twice as many."""

    def __init__(self, target_tokens: float = DEFAULTS["target_tokens"]) -> None:
        self._target = target_tokens

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        waiting = sum((context.aggregated_metrics or {}).get(QUEUED_TOKENS, {}).values())
        now = max(1, context.current_num_replicas)
        wanted = math.ceil(waiting / self._target)
        bounded = min(max(wanted, now - 1), 2 * now)
        low = context.capacity_adjusted_min_replicas
        return min(max(bounded, low), context.capacity_adjusted_max_replicas), {}


class Replica:
    """One process's service inside Ray Serve, which calls these methods by their names."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._settings = Settings(**values)
        self._app: Application | None = None

    def __serve_build_asgi_app__(self) -> Application:
        self._app = create_app(self._settings)
        return self._app

    def record_autoscaling_stats(self) -> dict[str, float]:
        if self._app is None:
            return {QUEUED_TOKENS: 0.0}
        return {QUEUED_TOKENS: float(self._app.state.qingyu.service.scheduler.queued_tokens)}

    def check_health(self) -> None:
        """Raises what kept the model from being loaded."""
        if self._app is not None and (failure := self._app.state.qingyu.failure) is not None:
            raise failure


def application(arguments: dict[str, str]) -> Any:
    """The application for `serve run`. Arguments: min_replicas, max_replicas, cpus (of a replica),
    target_tokens (waiting in a replica). Raises InputError."""
    from ray import serve
    from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

    given = _numbers(arguments)
    # Beyond the proxy nobody reaches a replica; keys are checked in it, where they are set.
    settings = {"allow_open": True, "threads": given["cpus"]}
    manifest = bundle.read_manifest(bundle.find(Settings(allow_open=True).model))
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name="qingyu",
        ray_actor_options={
            "num_cpus": given["cpus"],
            "memory": memory_bytes(manifest),
        },
        max_ongoing_requests=1024,  # the replica's own scheduler says when it is enough
        autoscaling_config=AutoscalingConfig(
            min_replicas=given["min_replicas"],
            max_replicas=given["max_replicas"],
            metrics_interval_s=2,
            look_back_period_s=10,
            policy=AutoscalingPolicy(
                policy_function=TokensPolicy,
                policy_kwargs={"target_tokens": given["target_tokens"]},
            ),
        ),
    )
    return deployment.bind(settings)


def _numbers(arguments: dict[str, str]) -> dict[str, int]:
    numbers = dict(DEFAULTS)
    for name, value in arguments.items():
        if name not in DEFAULTS or not str(value).isdecimal() or int(value) < 1:
            known = ", ".join(DEFAULTS)
            raise InputError(
                f"参数 {name}={value} 不对；可用：{known}，值为正整数。",
                f"Wrong argument {name}={value}; there are: {known}, each a whole number over 0.",
            )
        numbers[name] = int(value)
    return numbers
