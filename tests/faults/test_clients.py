"""Clients that misbehave: they cost a connection for a while, and nobody else anything."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.serving import SENTENCE, Running, fake_settings, serving

HEAD = b"POST /v1/fill-mask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BODY = f'{{"text": "{SENTENCE}"}}'.encode()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = fake_settings(
        tmp_path_factory.mktemp("models"), body_timeout=0.3, max_connections=40, cache=0
    )
    with serving(settings) as found:
        yield found


def connect(running: Running) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", running.port))
    connection.settimeout(10)
    return connection


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def answers(running: Running) -> bool:
    with running.client() as client:
        return client.post("/v1/fill-mask", content=BODY).status_code == 200


def test_headers_that_never_end_are_cut_off(running: Running) -> None:
    """A client that feeds its headers by the byte is closed after its time, however it feeds."""
    slow = [connect(running) for _ in range(10)]
    silent = connect(running)
    assert answers(running)
    closed = 0
    for connection in slow:
        try:
            for letter in b"GET / HTTP/1.1\r\nX-Slow: " + b"a" * 2000:
                connection.sendall(bytes([letter]))
                threading.Event().wait(0.002)
        except OSError:
            closed += 1
        connection.close()
    assert closed == len(slow)
    assert silent.recv(10) == b""
    silent.close()


def test_a_body_that_never_ends_is_408(running: Running) -> None:
    """The headers came, the body trickles: told and given up."""
    with connect(running) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        assert connection.recv(1 << 16).split()[1] == b"408"
    assert answers(running)


def test_a_request_cut_in_the_middle_is_forgotten(running: Running) -> None:
    """A connection that is reset during headers or body leaves nothing behind."""
    for piece in (b"POST /v1/fi", HEAD, HEAD + b"Content-Length: 1000\r\n\r\n{", b"\x16\x03\x01"):
        connection = connect(running)
        connection.sendall(piece)
        # No lingering: the peer sees a reset instead of an orderly end.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    until(lambda: running.state.metrics.in_flight == 0)
    assert answers(running)


def test_a_half_closed_connection_gets_its_answer_or_an_end(running: Running) -> None:
    """A client that has sent all and closed its side is not left hanging."""
    with connect(running) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1 << 16)
        assert answer == b"" or b" 200 " in answer
    assert answers(running)


def test_what_is_no_http_is_refused(running: Running) -> None:
    """Noise gets a 400 or the end of the connection."""
    for noise in (b"\0" * 100, b"\xff" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with connect(running) as connection:
            connection.sendall(noise)
            answer = connection.recv(1 << 16)
            assert not answer or answer.split()[1].startswith(b"4")
    assert answers(running)


def test_headers_too_many_or_too_large_do_no_harm(running: Running) -> None:
    """A megabyte of headers ends in an answer or an end, and the service goes on."""
    with connect(running) as connection:
        try:
            connection.sendall(HEAD + b"X-A: b\r\n" * 100_000 + b"Content-Length: 2\r\n\r\n{}")
            connection.recv(1 << 16)
        except OSError:
            pass
    assert answers(running)


def test_clients_that_leave_mid_batch_are_skipped(running: Running) -> None:
    """Those who waited behind a running batch and left are not computed; the one who stays is."""
    model = running.model
    before = sum(model.ran)
    departed = running.state.service.scheduler.stats.departed
    model.entered.clear()
    model.gate.clear()
    with ThreadPoolExecutor(1) as pool, running.client() as client:
        first = pool.submit(client.post, "/v1/fill-mask", content=BODY)
        assert model.entered.wait(10)
        leaving = [connect(running) for _ in range(20)]
        for connection in leaving:
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        until(lambda: running.state.metrics.in_flight == 21)
        for connection in leaving:
            connection.close()
        until(lambda: running.state.metrics.in_flight == 1)
        model.gate.set()
        assert first.result().status_code == 200
    assert sum(model.ran) - before == 1
    assert running.state.service.scheduler.stats.departed - departed == 20


def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    """Several requests written at once on one connection get their answers one after another."""
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    with connect(running) as connection:
        connection.sendall(request * 5)
        received = b""
        while received.count(b"HTTP/1.1 200") < 5 or not received.endswith(b"}"):
            received += connection.recv(1 << 16)


def test_too_many_connections_are_told(running: Running) -> None:
    """Beyond the limit a connection gets 503 with a time to return, and closing frees a place."""
    until(lambda: len(running.server.server_state.connections) == 0)
    held = [connect(running) for _ in range(40)]
    until(lambda: len(running.server.server_state.connections) == 40)
    with connect(running) as extra:
        told = extra.recv(1 << 16)
        assert b" 503 " in told
        assert b"too_many_connections" in told
    for connection in held:
        connection.close()
    until(lambda: len(running.server.server_state.connections) < 40)
    assert answers(running)


def test_a_reader_that_stops_reading_does_not_stop_others(running: Running) -> None:
    """A client that asks for a long stream and never reads it holds one connection, no more."""
    texts = ",".join(f'"{n}[MASK]"' for n in range(3000))
    body = f'{{"text": [{texts}]}}'.encode()
    with connect(running) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(HEAD + b"Accept: application/x-ndjson\r\n")
        connection.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        for _ in range(20):
            assert answers(running)
    until(lambda: running.state.metrics.in_flight == 0)


def test_the_clock_of_the_wall_may_jump(
    running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Deadlines and rates follow a clock that nobody sets: a year forth or back changes nothing."""
    real = time.time
    for year in (365 * 86400, -365 * 86400):
        monkeypatch.setattr(time, "time", lambda year=year: real() + year)
        assert answers(running)
        with running.client() as client:
            assert client.get("/health/ready").status_code == 200


def test_tenfold_overload_is_refused_and_passes(tmp_path: Path) -> None:
    """Far more clients than the queue holds: some are answered, the rest told 429 at once, nothing
    else happens, and afterwards the service is as before."""
    settings = fake_settings(tmp_path, max_queue_tokens=256, max_batch_tokens=64, cache=0)
    with serving(settings) as running:
        slow = running.model.run_batch

        def run(queries: list[object]) -> list[object]:
            threading.Event().wait(0.01)
            return slow(queries)  # type: ignore[arg-type, return-value]

        running.model.run_batch = run  # type: ignore[method-assign, assignment]

        def client(number: int) -> list[int]:
            with running.client() as one:
                return [
                    one.post("/v1/fill-mask", json={"text": f"{number}-{n}{SENTENCE}"}).status_code
                    for n in range(10)
                ]

        with ThreadPoolExecutor(60) as pool:
            codes = [code for found in pool.map(client, range(60)) for code in found]
        assert set(codes) == {200, 429}
        assert running.state.service.scheduler.queued_tokens == 0
        assert answers(running)


@pytest.mark.parametrize("path", ["/v1/fill-mask", "/predict", "/v1/zero-shot-classification"])
def test_a_thousand_keys_and_long_names_do_no_harm(running: Running, path: str) -> None:
    """Objects with many or huge keys are refused, and what is told of them stays short."""
    many = {f"key{n}": n for n in range(10_000)}
    long = {"k" * 500_000: 1}
    with running.client() as client:
        for body in (many, long):
            answer = client.post(path, json=body)
            assert answer.status_code == 422
            assert len(answer.content) < 2000


def test_a_stream_that_is_left_stops(running: Running) -> None:
    """When the reader of a stream goes away, its texts are no longer computed."""
    texts = [f"{n}[MASK]" for n in range(5000)]
    before = sum(running.model.ran)
    with (
        running.client() as client,
        client.stream(
            "POST",
            "/v1/fill-mask",
            json={"text": texts},
            headers={"accept": "application/x-ndjson"},
        ) as answer,
    ):
        next(answer.iter_lines())
    until(lambda: running.state.metrics.in_flight == 0)
    assert sum(running.model.ran) - before < 5000


def test_many_connections_one_after_another_leave_nothing(running: Running) -> None:
    """A thousand connections opened and closed: none stays."""
    for _ in range(300):
        connect(running).close()
    with running.client() as client:
        until(lambda: client.get("/health/live").status_code == 200)
    until(lambda: not running.server.server_state.connections)
