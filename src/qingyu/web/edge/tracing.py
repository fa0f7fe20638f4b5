"""OpenTelemetry: one span a request, part of the caller's trace where it sends one.

Needs the extra `otel`; where spans go is told by OpenTelemetry's own variables
(`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, ...). No text of users is in a span.
"""

from __future__ import annotations

import os
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qingyu.errors import QingyuError, SettingsError

from .context import context_of
from .errors import STATUS

PACKAGES = "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"


def tracer_from_environment() -> Any:
    """A tracer of the provider that is set up already, or of one set up here.

    Raises SettingsError where the extra is not installed.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(
            f"开启 traces 需要 OpenTelemetry：pip install {PACKAGES}。",
            f"traces needs OpenTelemetry: pip install {PACKAGES}.",
        ) from error
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        name = os.environ.get("OTEL_SERVICE_NAME", "qingyu")
        provider = TracerProvider(resource=Resource.create({"service.name": name}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
    return trace.get_tracer("qingyu")


class Traced:
    """An ASGI layer inside the gate, which has made the request's context."""

    def __init__(self, app: ASGIApp, tracer: Any) -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self.app = app
        self._tracer = tracer
        self._kind = SpanKind.SERVER
        self._extract = TraceContextTextMapPropagator().extract

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracer.start_as_current_span(
            scope["method"],
            context=self._extract(carrier),
            kind=self._kind,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                await self.app(scope, receive, answer)
            except QingyuError as error:  # the gate answers it
                status = status or STATUS.get(error.code, 500)
                raise
            finally:
                self._describe(span, scope, status)

    def _describe(self, span: Any, scope: Scope, status: int) -> None:
        context = context_of(scope)
        path = getattr(scope.get("route"), "path", "")
        if path:
            span.update_name(f"{scope['method']} {path}")
            span.set_attribute("http.route", path)
        span.set_attribute("http.request.method", scope["method"])
        if status:
            span.set_attribute("http.response.status_code", status)
        span.set_attribute("qingyu.request_id", context.request_id)
        for name in ("task", "model", "texts", "tokens"):
            value = getattr(context, name)
            if value:
                span.set_attribute(f"qingyu.{name}", value)
