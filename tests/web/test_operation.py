"""What an operator sees: health, metrics, logs, pages, and a good end."""

from __future__ import annotations

import gzip
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from qingyu.errors import BundleError, ModelNotFoundError, SettingsError
from qingyu.settings import Settings
from qingyu.web import server
from qingyu.web.edge.logs import JsonFormatter, TextFormatter, set_up_logging
from qingyu.web.sockets import listen
from qingyu.web.worker import run
from tests.support.process import Served
from tests.support.serving import SENTENCE, Running, fake_settings, serving, write_bundle

SECRET = "不可外传[MASK]"


def test_health_tells_alive_and_ready(client: httpx.Client) -> None:
    """Alive with its workers, and ready once the model is."""
    assert client.get("/health/live").json() == {"status": "live", "workers": 1, "replaced": 0}
    assert client.get("/health/ready").json() == {"status": "ready"}


def test_a_dead_worker_shows_in_health(tmp_path: Path) -> None:
    """A worker brought down is replaced, told by /health/live, and the service goes on."""
    with serving(fake_settings(tmp_path)) as running, running.client() as client:
        broken = running.model.run_batch

        def fall(queries: object) -> list[object]:
            running.model.run_batch = broken  # type: ignore[method-assign]
            raise SystemExit

        running.model.run_batch = fall  # type: ignore[method-assign, assignment]
        assert client.post("/v1/fill-mask", json={"text": SENTENCE}).status_code == 503
        assert client.post("/v1/fill-mask", json={"text": SENTENCE}).status_code == 200
        assert client.get("/health/live").json()["replaced"] == 1


def test_metrics_count_what_happened(tmp_path: Path) -> None:
    """Requests by path and status, tokens, batches, cache and memory, readable by Prometheus."""
    with serving(fake_settings(tmp_path)) as running, running.client() as client:
        for _ in range(2):
            client.post("/v1/fill-mask", json={"text": SENTENCE})
        client.post("/v1/fill-mask", json={"text": "没有"})
        for n in range(5):
            client.get(f"/made-up-{n}")
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        families = text_string_to_metric_families(answer.text)
        samples = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }
    assert samples["qingyu_requests_total", "/v1/fill-mask", "200"] == 2
    assert samples["qingyu_requests_total", "/v1/fill-mask", "422"] == 1
    assert samples["qingyu_requests_total", "404", "other"] == 5
    assert samples["qingyu_request_tokens_total", "fake", "fill-mask"] == 2 * (len(SENTENCE) + 2)
    assert samples["qingyu_request_seconds_count", "fill-mask"] == 2
    assert samples["qingyu_cache_hits_total",] == 1
    assert samples["qingyu_queue_tokens",] == 0
    assert samples["qingyu_model_bytes", "fake"] == 1000
    assert samples["qingyu_workers_alive",] == 1
    assert 0 < samples["qingyu_batch_fill",] < 1


@pytest.mark.parametrize("asked", [False, True])
def test_logs_hold_no_text_unless_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, asked: bool
) -> None:
    """A line a request with its id, task and tokens; what users wrote only with log_text."""
    with (
        caplog.at_level(logging.DEBUG),
        serving(fake_settings(tmp_path, log_text=asked)) as running,
        running.client() as client,
    ):
        headers = {"x-request-id": "follow-me"}
        client.post("/v1/fill-mask", json={"text": SECRET}, headers=headers)
        client.post("/v1/fill-mask", json={"text": SECRET, "top_k": 0})
        client.post("/v1/fill-mask", content=SECRET.encode("gbk"))
    lines = [JsonFormatter().format(record) for record in caplog.records]
    entries = [json.loads(line) for line in lines]
    (entry,) = [one for one in entries if one.get("request_id") == "follow-me"]
    assert entry["status"] == 200
    assert entry["task"] == "fill-mask"
    assert entry["tokens"] == len(SECRET) + 2
    assert ("不可外传" in "".join(lines)) is asked
    assert "follow-me" in "".join(TextFormatter().format(record) for record in caplog.records)


def test_pages_are_served_with_a_version(client: httpx.Client) -> None:
    """The page, its parts and the documentation, compressed where it pays, 304 when unchanged."""
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert client.get("/docs", follow_redirects=True).status_code == 200
    parts = re.findall(r'(?:src|href)="([\w./-]+\.(?:js|css|svg))"', page.text)
    assert parts
    for part in parts:
        answer = client.get(f"/{part}")
        assert answer.status_code == 200
        again = client.get(f"/{part}", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
        assert not again.content
    plain = client.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == page.content
    with client.stream("GET", "/", headers={"accept-encoding": "gzip"}) as packed:
        assert gzip.decompress(b"".join(packed.iter_raw())) == page.content


def test_nothing_outside_the_page_is_served(client: httpx.Client) -> None:
    """Only files known at the start have an address."""
    for path in ("/../app.py", "/static/index.html", "/js/../../app.py", "/%2e%2e/app.py"):
        assert client.get(path).status_code == 404


def test_the_description_names_every_path(client: httpx.Client) -> None:
    """openapi.json has the tasks with bodies and answers, all references resolved."""
    document = client.get("/openapi.json").json()
    assert {"/v1/fill-mask", "/predict", "/v1/models", "/metrics"} <= set(document["paths"])
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    assert "x-schema" not in json.dumps(document)


def test_an_address_in_use_is_told(running: Running) -> None:
    """Two services on one port: the second says so and how to go on."""
    with pytest.raises(SettingsError, match="--port"):
        listen(Settings(port=running.port))


@pytest.mark.parametrize(
    ("model", "error"), [("nope", ModelNotFoundError), ("damaged", BundleError)]
)
def test_a_default_model_that_cannot_be_loaded_ends_the_start(
    tmp_path: Path, model: str, error: type[Exception]
) -> None:
    """The reason is raised to whoever started the service, not lost in a log."""
    write_bundle(tmp_path, "damaged")
    settings = Settings(port=0, models=tmp_path, model=model)
    caught: list[BaseException] = []

    def body() -> None:
        try:
            run(settings, listen(settings))
        except BaseException as raised:  # noqa: BLE001
            caught.append(raised)

    levels = {name: logging.getLogger(name).handlers[:] for name in ("qingyu", "uvicorn")}
    thread = threading.Thread(target=body)
    thread.start()
    thread.join(30)
    for name, handlers in levels.items():
        logging.getLogger(name).handlers = handlers
        logging.getLogger(name).propagate = True
    assert isinstance(caught[0], error)


def test_work_under_way_is_finished_when_told_to_stop(tmp_path: Path) -> None:
    """After the signal: not ready at once, what runs is answered, then the server ends."""
    settings = fake_settings(tmp_path, drain=10, drain_notice=0.3)
    with serving(settings) as running, running.client() as client, ThreadPoolExecutor(1) as pool:
        running.model.entered.clear()
        running.model.gate.clear()
        asked = pool.submit(client.post, "/v1/fill-mask", json={"text": SENTENCE})
        assert running.model.entered.wait(10)
        running.server.handle_exit(signal.SIGTERM, None)
        with running.client() as other:
            told = other.get("/health/ready")
            assert told.status_code == 503
            assert told.json()["error"]["code"] == "stopping"
        deadline = time.monotonic() + 10
        while accepts(running.port):
            assert time.monotonic() < deadline
            threading.Event().wait(0.02)
        running.model.gate.set()
        assert asked.result().status_code == 200
        running.thread.join(20)
        assert not running.thread.is_alive()
        assert running.model.closed


def test_the_end_comes_by_its_deadline(tmp_path: Path) -> None:
    """Work that does not finish in time is given up: its client is told, the process ends."""
    with (
        serving(fake_settings(tmp_path, drain=1)) as running,
        running.client() as client,
        ThreadPoolExecutor(1) as pool,
    ):
        running.model.entered.clear()
        running.model.gate.clear()
        asked = pool.submit(client.post, "/v1/fill-mask", json={"text": SENTENCE})
        assert running.model.entered.wait(10)
        running.server.handle_exit(signal.SIGTERM, None)
        answer = asked.result()
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "stopping"
        running.model.gate.set()


def accepts(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/health/live", verify=False)  # noqa: S501
    except httpx.TransportError:
        return False
    return True


@pytest.mark.slow
def test_several_processes_serve_one_address() -> None:
    """Both answer, one killed is replaced, metrics are summed, SIGTERM ends all with status 0."""
    service = Served("--workers", "2", stderr=subprocess.PIPE, text=True)
    process, base = service.process, service.address
    try:
        seen: set[int] = set()
        deadline = time.monotonic() + 60
        while len(seen) < 2:
            assert time.monotonic() < deadline
            seen |= processes(base)
        victim = seen.pop()
        os.kill(victim, signal.SIGKILL)
        fresh: set[int] = set()
        while len(fresh - seen - {victim}) < 1:
            assert time.monotonic() < deadline
            fresh |= processes(base)
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "replacing it" in errors
    assert "Traceback" not in errors


def processes(base: str) -> set[int]:
    """The process that a fresh connection meets, as its metrics tell."""
    try:
        text = httpx.get(f"{base}/metrics", verify=False, timeout=10).text  # noqa: S501
    except httpx.TransportError:
        return set()
    return {int(number) for number in re.findall(r'qingyu_resident_bytes{process="(\d+)"}', text)}


def test_a_request_is_a_span_of_its_callers_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With traces on, a request joins the caller's trace, tells task and tokens, and no text."""
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(
        "qingyu.web.app.tracer_from_environment", lambda: provider.get_tracer("qingyu")
    )
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with serving(fake_settings(tmp_path, traces=True)) as running, running.client() as client:
        client.post("/v1/fill-mask", json={"text": SECRET}, headers={"traceparent": parent})
        client.post("/v1/fill-mask", json={"text": "没有"})
    spans = exporter.get_finished_spans()
    span = next(span for span in spans if span.parent is not None)
    assert span.name == "POST /v1/fill-mask"
    assert f"{span.context.trace_id:032x}" == parent.split("-")[1]
    assert span.attributes["qingyu.tokens"] == len(SECRET) + 2  # type: ignore[index]
    assert "不可外传" not in span.to_json()
    assert 422 in [span.attributes["http.response.status_code"] for span in spans]  # type: ignore[index]


class Terminal(io.StringIO):
    """Standard error as a person sees it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("kind", "stream", "as_json"),
    [
        ("auto", Terminal, False),
        ("auto", io.StringIO, True),
        ("json", Terminal, True),
        ("text", io.StringIO, False),
    ],
)
def test_logs_are_for_whoever_reads_them(
    kind: str, stream: type[io.StringIO], as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain lines on a terminal, JSON where they are piped, unless it is said which; the first,
    which says where it listens, no less than the others."""
    names = ("qingyu", "uvicorn", "asyncio")
    loggers = [logging.getLogger(name) for name in names]
    before = [(one.handlers, one.propagate, one.level) for one in loggers]
    written = stream()
    monkeypatch.setattr(sys, "stderr", written)
    try:
        monkeypatch.setattr("qingyu.web.worker.run", lambda _, listener: listener.close())
        server.serve(Settings(_env_file=None, port=0, log_format=kind))
        set_up_logging(kind, "info")
        logging.getLogger("qingyu.web").info("ready")
    finally:
        for one, (handlers, propagate, level) in zip(loggers, before, strict=True):
            one.handlers, one.propagate = handlers, propagate
            one.setLevel(level)
    first, *_, last = written.getvalue().splitlines()
    assert first.startswith("{") is last.startswith("{") is as_json
    assert "http://127.0.0.1:" in first
    assert "ready" in last


def test_a_model_card_is_read(tmp_path: Path) -> None:
    """The card of a bundle as it is written; none, or none such, is told."""
    settings = fake_settings(tmp_path)
    with serving(settings) as running, running.client() as client:
        none = client.get("/v1/models/fake/card")
        assert (none.status_code, none.json()["error"]["code"]) == (404, "model_not_found")
        (tmp_path / "fake" / "README.md").write_text("# 假模型\n", "utf-8")
        answer = client.get("/v1/models/fake/card")
        assert answer.text == "# 假模型\n"
        assert answer.headers["content-type"].startswith("text/markdown")
        assert client.get("/v1/models/nope/card").status_code == 404
        assert client.get("/v1/models/..%2Ffake/card").status_code == 404
