"""What an overloaded service refuses by the headers alone: as the gate would have, and no more."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qingyu.web.edge.security import hash_key
from tests.support.serving import SENTENCE, Running, fake_settings, serving

BROKEN = b"{"  # who reads it says 400


@contextmanager
def overloaded(running: Running) -> Iterator[None]:
    """The service with no room left, in an overload that has been noticed."""
    books = running.state.service.scheduler.admission
    books.held += books.bound
    books.overloaded = True
    try:
        yield
    finally:
        books.held -= books.bound
        books.overloaded = False


class Raw:
    """A connection on which requests are written byte by byte."""

    def __init__(self, running: Running) -> None:
        self._socket = socket.create_connection(("127.0.0.1", running.port), 10)
        self._file = self._socket.makefile("rb")

    def send(self, body: bytes, *headers: str, path: str = "/v1/fill-mask") -> None:
        named = ["host: localhost", "content-type: application/json", *headers]
        named.append(f"content-length: {len(body)}")
        head = "\r\n".join([f"POST {path} HTTP/1.1", *named, "", ""]).encode()
        self._socket.sendall(head + body)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self._file.readline().split()[1])
        headers = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self._file.read(int(headers["content-length"]))

    @property
    def ended(self) -> bool:
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def raw(running: Running) -> Iterator[Raw]:
    connection = Raw(running)
    yield connection
    connection.close()


def test_a_refusal_reads_nothing_and_looks_like_the_gates(running: Running, raw: Raw) -> None:
    """A body that is no JSON is refused unread, with the headers and the error of any refusal; the
    connection goes on, and there what is asked when there is room again is answered."""
    with overloaded(running):
        raw.send(BROKEN, "x-request-id: mine")
        status, headers, body = raw.read()
    assert status == 429
    assert headers["x-request-id"] == "mine"
    assert int(headers["retry-after"]) >= 1
    assert headers["x-content-type-options"] == "nosniff"
    assert "date" in headers
    told = json.loads(body)["error"]
    assert (told["code"], told["request_id"]) == ("overloaded", "mine")
    assert told["message"]
    assert told["message_en"]
    raw.send(json.dumps({"text": SENTENCE}).encode())
    assert raw.read()[0] == 200
    raw.send(BROKEN)
    assert raw.read()[0] == 400


def test_requests_of_one_connection_are_answered_in_turn(running: Running, raw: Raw) -> None:
    """Several that come together are refused one by one, a body that comes in pieces is waited
    for, and who asks to close is closed."""
    with overloaded(running):
        for number in range(3):
            raw.send(BROKEN * 100, f"x-request-id: {number}")
        assert [raw.read()[1]["x-request-id"] for _ in range(3)] == ["0", "1", "2"]
        raw.write(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\n{")
        raw.write(b"   ")
        assert raw.read()[0] == 429
        raw.send(BROKEN, "connection: close")
        assert raw.read()[0] == 429
        assert raw.ended


def test_an_answer_under_way_comes_before_the_next_refusal(running: Running, raw: Raw) -> None:
    """A refusal does not overtake what was asked before it on its connection."""
    running.model.gate.clear()
    running.model.entered.clear()
    raw.send(json.dumps({"text": SENTENCE + "等"}).encode(), "x-request-id: first")
    assert running.model.entered.wait(10)
    with overloaded(running):
        raw.send(json.dumps({"text": SENTENCE + "再"}).encode(), "x-request-id: second")
        running.model.gate.set()
        assert raw.read()[1]["x-request-id"] == "first"
        status, headers, _ = raw.read()
    assert (status, headers["x-request-id"]) == (429, "second")


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("/v1/fill-mask", "origin: http://localhost", 400),
        ("/v1/fill-mask", "origin: http://elsewhere.example", 403),
        ("/v1/fill-mask", "host: elsewhere.example", 403),
        ("/health/ready", "accept: */*", 405),
        ("/nowhere", "accept: */*", 404),
    ],
)
def test_what_is_not_plain_goes_to_the_gate(
    running: Running, raw: Raw, path: str, header: str, status: int
) -> None:
    """A page's request, a foreign host and other addresses are told what they always are."""
    with overloaded(running):
        raw.send(BROKEN, header, path=path)
        assert raw.read()[0] == status


def test_refusals_are_counted_and_strangers_are_not(tmp_path: Path) -> None:
    """A refusal stands in the metrics; who has no key is told so and holds up no burst."""
    settings = fake_settings(tmp_path, api_keys=(f"alice:{hash_key('secret')}",))
    with serving(settings) as running:
        raw = Raw(running)
        books = running.state.service.scheduler.admission
        with overloaded(running):
            raw.send(BROKEN)
            assert raw.read()[0] == 401
            assert books.refused == 0
            raw.send(BROKEN, "authorization: Bearer secret")
            assert raw.read()[0] == 429
        assert books.refused == 1
        counted = b'qingyu_requests_total{path="/v1/fill-mask",status="429"} 1.0'
        assert counted in running.state.metrics.text()
        raw.close()
