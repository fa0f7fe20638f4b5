"""Pages of others, names made to point here, forged lines in the log: small and sly."""

from __future__ import annotations

import io
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qingyu.errors import InputError
from qingyu.settings import Settings
from qingyu.web.edge.logs import JsonFormatter, TextFormatter, escaped
from qingyu.web.edge.security import hash_key
from tests.support.serving import SENTENCE, Running, fake_settings, serving, write_bundle

BODY = {"text": SENTENCE}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(fake_settings(tmp_path_factory.mktemp("models"))) as found:
        yield found


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with running.client() as found:
        yield found


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.5"]
)
def test_a_name_made_to_point_here_is_refused(client: httpx.Client, host: str) -> None:
    """DNS rebinding: the browser takes the page's own name for ours, and nothing is told to it."""
    for path in ("/v1/models", "/", "/metrics"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "foreign_host"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:99", "127.0.0.1", "127.8.8.8:1", "[::1]:8000"]
)
def test_this_machines_own_names_are_answered_to(client: httpx.Client, host: str) -> None:
    """With whatever port, since a tunnel may change it."""
    assert client.get("/v1/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:1", "file://", "x" * 5000]
)
def test_pages_of_others_give_no_orders(client: httpx.Client, origin: str) -> None:
    """What a browser sends for another site's page is refused before it is read."""
    for path in ("/v1/fill-mask", "/predict", "/v2/repository/models/fake/unload", "/v1/jobs"):
        answer = client.post(path, json=BODY, headers={"origin": origin})
        assert answer.status_code == 403
        assert "foreign_origin" in answer.text
        assert len(answer.content) < 1000
    own = str(client.base_url).rstrip("/")
    assert client.post("/v1/fill-mask", json=BODY, headers={"origin": own}).status_code == 200


def test_names_and_origins_can_be_allowed(tmp_path: Path) -> None:
    """By the operator, one by one; and a service with keys asks for the key alone."""
    settings = fake_settings(tmp_path, allowed_hosts="a.example", cors_origins="https://b.example")
    with serving(settings) as running, running.client() as client:
        for headers in (
            {"host": "a.example"},
            {"host": "A.example:80", "origin": "https://a.example"},
            {"origin": "https://b.example"},
        ):
            assert client.post("/v1/fill-mask", json=BODY, headers=headers).status_code == 200
    with (
        serving(fake_settings(tmp_path, api_keys=f"a:{hash_key('k')}")) as running,
        running.client() as client,
    ):
        headers = {"host": "any.example", "origin": "https://c.example", "x-api-key": "k"}
        assert client.post("/v1/fill-mask", json=BODY, headers=headers).status_code == 200


def test_a_slash_too_many_leads_nowhere(client: httpx.Client) -> None:
    """No redirect is made of the Host that was sent."""
    answer = client.get("/v1/models/", headers={"host": "localhost:1"})
    assert answer.status_code == 404
    assert "location" not in answer.headers


@pytest.mark.parametrize("kind", ["text/plain", "", "multipart/form-data", "application/jsonx"])
def test_what_a_page_may_send_unasked_is_no_json(client: httpx.Client, kind: str) -> None:
    """A body has to say that it is JSON, which a browser asks us about first."""
    body = json.dumps(BODY).encode()
    answer = client.post("/v1/fill-mask", content=body, headers={"content-type": kind})
    assert answer.status_code == 415


@pytest.mark.parametrize("task", [[], {}, None, 1, "x" * 5000, ["fill-mask"]])
def test_a_task_that_is_no_name_is_refused(client: httpx.Client, task: object) -> None:
    """In the inference protocol too."""
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [SENTENCE]}
    body = {"inputs": [tensor], "parameters": {"task": task}}
    answer = client.post("/v2/models/fake/infer", json=body)
    assert answer.status_code == 422
    assert len(answer.content) < 1000


@pytest.mark.parametrize("name", ["啊" * 150, "a" * 255, "\x00", "..", "a/b", "\ud800"])
def test_a_model_of_an_odd_name_is_not_found(client: httpx.Client, name: str) -> None:
    """Names that no file system takes included."""
    body = json.dumps({**BODY, "model": name}).encode()
    answer = client.post("/v1/fill-mask", content=body)
    assert answer.status_code in {404, 400}


def test_headers_too_long_are_told(running: Running) -> None:
    """431 and the end of the connection, whether in one line or in many."""
    for line in (b"X: " + b"a" * 70_000, b"X: a\r\n" * 15_000, b"X" * 400_000):
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            connection.settimeout(10)
            head = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
            try:
                connection.sendall(head + line + b"\r\n\r\n")
                assert connection.recv(1 << 16).split()[1] == b"431"
            except ConnectionError:  # it was closed while we were still sending
                pass


def test_a_client_that_takes_nothing_of_its_answer_is_closed(tmp_path: Path) -> None:
    """However little of it is left to send."""
    with serving(fake_settings(tmp_path, write_timeout=0.2)) as running:
        text = json.dumps({"text": "啊" * 19_000 + "[MASK]", "top_k": 100}).encode()
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(20)
            connection.connect(("127.0.0.1", running.port))
            head = b"POST /v1/fill-mask HTTP/1.1\r\nHost: localhost\r\n"
            head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text)
            connection.sendall(head + text)
            end = time.monotonic() + 20
            while True:  # until the service has closed it: what it sent before is still to be read
                assert time.monotonic() < end
                open_now = running.server.server_state.connections
                if running.state.metrics.in_flight == 0 and not open_now:
                    break
                threading.Event().wait(0.02)


FORGED = '好\n{"level": "info"}\r\x1b[2J\x1b]0;title\x07\u2028\u202e\x85\x00\x7f'


@pytest.mark.parametrize("made", [JsonFormatter, TextFormatter])
def test_no_line_of_the_log_can_be_forged(made: type[logging.Formatter]) -> None:
    """Whatever is in a path or a name, a record is one line and moves no cursor."""
    record = logging.LogRecord("qingyu", logging.INFO, "", 0, "request %s", (FORGED,), None)
    record.fields = {"path": escaped(FORGED), "model": escaped("m" * 900_000)}
    line = made().format(record)
    assert line.isprintable()
    assert len(line) < 2000


@pytest.mark.parametrize("made", [JsonFormatter, TextFormatter])
def test_messages_of_exceptions_are_not_in_the_log(made: type[logging.Formatter]) -> None:
    """They may quote a text; kind and place are told, and the system's own errors in full."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(made())
    log = logging.Logger("test")
    log.addHandler(handler)
    for error in (
        ValueError("不可外传"),
        InputError("不可外传", "secret"),
        OSError(28, "No space left"),
    ):
        try:
            try:
                raise error
            except Exception as cause:
                raise RuntimeError("不可外传") from cause
        except RuntimeError:
            log.exception("it failed")
    told = stream.getvalue()
    assert "不可外传" not in told
    assert "secret" not in told
    assert "ValueError" in told
    assert "No space left" in told
    assert "test_pages.py" in told


def test_a_long_name_is_not_logged_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does it break the line, in the path or in the body."""
    settings: Settings = fake_settings(tmp_path)
    with (
        caplog.at_level(logging.DEBUG, "qingyu.web.access"),
        serving(settings) as running,
        running.client() as client,
    ):
        client.post("/v1/fill-mask", json={"text": "a", "model": "m" * 900_000})
        client.get("/models/%0aforged%1b[2J" + "x" * 3000)
    lines = [TextFormatter().format(record) for record in caplog.records]
    assert lines
    assert all(line.isprintable() and len(line) < 1500 for line in lines)


def test_thousands_of_requests_at_once_are_not_all_kept(running: Running) -> None:
    """What is pipelined on one connection waits within a bound; beyond it the connection ends."""
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.settimeout(20)
        received = b""
        try:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 4000)
            while piece := connection.recv(1 << 16):
                received += piece
        except ConnectionError:
            pass
        assert received.count(b"HTTP/1.1 200") < 4000


def test_a_model_is_not_unloaded_again_and_again(tmp_path: Path) -> None:
    """Once in a while anybody may; again at once is for later, and the default model stays."""
    settings = fake_settings(tmp_path)
    write_bundle(tmp_path, "other")
    with serving(settings) as running, running.client() as client:
        path = "/v2/repository/models/other/unload"
        assert client.post(path).status_code == 200
        answer = client.post(path)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 1
        assert client.post("/v2/repository/models/fake/unload").status_code == 409
        assert client.post("/v2/repository/models/none/unload").status_code == 404
