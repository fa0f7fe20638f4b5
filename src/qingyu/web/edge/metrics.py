"""Prometheus metrics: counted on the way where a request passes, read off the service on demand."""

from __future__ import annotations

import os
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import Scope

from qingyu.machine import resident_bytes
from qingyu.service.service import Service

from .context import RequestContext
from .shared import SHARED_VARIABLE

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (
    0.002, 0.004, 0.007, 0.01, 0.015, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 15.0, 30.0,
)  # fmt: skip


class Metrics:
    """One registry for one application, so that several can live in a process.

    Where there are several processes, counts are summed over all of them, and what is read off the
    service is this process's own, with its number as a label.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.own = CollectorRegistry()
        self.shared = bool(os.environ.get(SHARED_VARIABLE))
        self.in_flight = 0
        self._requests = Counter(
            "qingyu_requests", "Requests answered", ["path", "status"], registry=self.registry
        )
        self._texts = Counter(
            "qingyu_texts", "Texts answered", ["task", "model"], registry=self.registry
        )
        self._tokens = Counter(
            "qingyu_request_tokens", "Tokens of requests", ["task", "model"], registry=self.registry
        )
        self._seconds = Histogram(
            "qingyu_request_seconds",
            "Time from the first header to the last byte, by task",
            ["task"],
            buckets=BUCKETS,
            registry=self.registry,
        )

    def watch(self, service: Service) -> None:
        """Read the service's own numbers at each scrape."""
        self.own.register(_ServiceNumbers(self, service))

    def count(self, scope: Scope, status: int, context: RequestContext) -> None:
        # Only paths that exist become labels: clients cannot make series.
        route = scope.get("route")
        path = getattr(route, "path", "other")
        self._requests.labels(path, str(status)).inc()
        if context.task and status == 200:
            self._texts.labels(context.task, context.model).inc(context.texts)
            self._tokens.labels(context.task, context.model).inc(context.tokens)
            self._seconds.labels(context.task).observe(context.elapsed_ms / 1e3)

    def text(self) -> bytes:
        counts = self.registry
        if self.shared:
            counts = CollectorRegistry()
            MultiProcessCollector(counts)  # type: ignore[no-untyped-call]
        return generate_latest(counts) + generate_latest(self.own)


class _ServiceNumbers:
    """A collector in prometheus_client's sense."""

    def __init__(self, metrics: Metrics, service: Service) -> None:
        self._metrics = metrics
        self._service = service

    def collect(self) -> Iterator[Metric]:
        service = self._service
        scheduler, stats, cache = service.scheduler, service.scheduler.stats, service.cache
        gauges: dict[str, tuple[str, float]] = {
            "requests_in_flight": ("Requests being answered", self._metrics.in_flight),
            "queue_tokens": ("Tokens waiting", scheduler.queued_tokens),
            "admitted_tokens": ("Tokens charged, waiting or running", scheduler.admission.held),
            "queue_limit_tokens": (
                "Charged tokens beyond which requests are refused now",
                scheduler.admission.limit,
            ),
            "seconds_per_token": ("Pace of late", scheduler.seconds_per_token),
            "workers_alive": ("Worker threads that work", service.workers.alive),
            "cache_bytes": ("Memory of cached answers", cache.bytes),
            "cache_entries": ("Cached answers", len(cache)),
            "models_bytes": ("Memory of models, loading and closing", service.registry.used),
            "resident_bytes": ("Resident memory of the process", resident_bytes()),
        }
        counters = {
            "batches": ("Batches computed", stats.batches),
            "batch_queries": ("Queries in those batches", stats.queries),
            "batch_tokens": ("Tokens in those batches", stats.tokens),
            "busy_seconds": ("Time spent computing", stats.busy_seconds),
            "refused": ("Requests refused for want of room", scheduler.admission.refused),
            "expired": ("Requests past their deadline", stats.expired),
            "departed": ("Requests whose client left", stats.departed),
            "failed_batches": ("Batches that failed", stats.failed_batches),
            "workers_replaced": ("Worker threads replaced", service.workers.replaced),
            "cache_hits": ("Answers found in the cache", cache.hits),
            "cache_misses": ("Answers not found there", cache.misses),
            "shared": ("Answers shared with an identical request in flight", service.shared),
            "model_loads": ("Models loaded", service.registry.loads),
            "model_evictions": ("Models unloaded for room", service.registry.evictions),
        }
        most = scheduler.max_batch_tokens * max(1, stats.batches)
        gauges["batch_fill"] = (
            "Mean tokens of a batch, as a share of the most it may hold",
            stats.tokens / most,
        )
        names, values = (["process"], [str(os.getpid())]) if self._metrics.shared else ([], [])
        for name, (text, value) in gauges.items():
            gauge = GaugeMetricFamily(f"qingyu_{name}", text, labels=names)
            gauge.add_metric(values, float(value))
            yield gauge
        for name, (text, value) in counters.items():
            counter = CounterMetricFamily(f"qingyu_{name}", text, labels=names)
            counter.add_metric(values, float(value))
            yield counter
        memory = GaugeMetricFamily(
            "qingyu_model_bytes", "Memory of a loaded model", labels=["model", *names]
        )
        for model, size in service.registry.memory().items():
            memory.add_metric([model, *values], size)
        yield memory
