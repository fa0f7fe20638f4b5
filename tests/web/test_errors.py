"""Whatever a client sends, the answer is one JSON error with a stable code and the right status."""

from __future__ import annotations

import json
import socket

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.serving import SENTENCE, Running

JSON = {"content-type": "application/json"}

CASES = {
    "empty body": (b"", 400, "malformed_json"),
    "not JSON": (b"text=hello", 400, "malformed_json"),
    "cut off": (b'{"text": "[MASK]', 400, "malformed_json"),
    "in no encoding": (b'{"text": "[MASK]\xff\xff\x80"}', 400, "not_utf8"),
    "a lone surrogate": (b'{"text": "[MASK]\\ud800"}', 400, "malformed_json"),
    "nested deeply": (b"[" * 1000, 400, "malformed_json"),
    "nested very deeply": (b"[" * 100_000, 422, "invalid_request"),
    "an object nested deeply": (b'{"text":' * 500 + b"1" + b"}" * 500, 400, "malformed_json"),
    "an array": (b"[]", 422, "invalid_request"),
    "null": (b"null", 422, "invalid_request"),
    "a number": (b"1e999", 422, "invalid_request"),
    "no text": (b"{}", 422, "invalid_request"),
    "text is null": (b'{"text": null}', 422, "invalid_request"),
    "text is a number": (b'{"text": 3}', 422, "invalid_request"),
    "text is an object": (b'{"text": {}}', 422, "invalid_request"),
    "text is a list of numbers": (b'{"text": [1]}', 422, "invalid_request"),
    "no texts": (b'{"text": []}', 422, "invalid_request"),
    "empty text": (b'{"text": ""}', 422, "empty_text"),
    "blank text": (b'{"text": " \\n"}', 422, "empty_text"),
    "no mask": ('{"text": "今天"}'.encode(), 422, "no_mask"),
    "unknown field": (b'{"text": "[MASK]", "topk": 3}', 422, "invalid_request"),
    "top_k is text": (b'{"text": "[MASK]", "top_k": "3"}', 422, "invalid_request"),
    "top_k is true": (b'{"text": "[MASK]", "top_k": true}', 422, "invalid_request"),
    "top_k is 0": (b'{"text": "[MASK]", "top_k": 0}', 422, "invalid_request"),
    "top_k is huge": (b'{"text": "[MASK]", "top_k": ' + b"9" * 4000 + b"}", 422, "invalid_request"),
    "top_k is infinite": (b'{"text": "[MASK]", "top_k": Infinity}', 422, "invalid_request"),
    "unknown truncate": (b'{"text": "[MASK]", "truncate": "x"}', 422, "invalid_request"),
    "too many texts": (b'{"text": ["[MASK]"' + b',"[MASK]"' * 256 + b"]}", 422, "too_many_texts"),
    "too long": (b'{"text": "[MASK]' + b"a" * 20_000 + b'"}', 422, "text_too_long"),
    "too large": (b'{"text": "' + b"a" * (1 << 20) + b'"}', 413, "body_too_large"),
    "unknown model": (b'{"text": "[MASK]", "model": "nope"}', 404, "model_not_found"),
    "a path as model": (b'{"text": "[MASK]", "model": "../fake"}', 404, "model_not_found"),
}


def check(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["message_en"].isascii() or code in {"model_not_found"}
    assert error["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("case", CASES)
def test_a_bad_request_is_told_clearly(client: httpx.Client, case: str) -> None:
    """Each kind of bad input has its status and its code."""
    body, status, code = CASES[case]
    check(client.post("/v1/fill-mask", content=body, headers=JSON), status, code)


@pytest.mark.parametrize("case", ["empty body", "nested deeply", "empty text", "too large"])
def test_predict_refuses_the_same(client: httpx.Client, case: str) -> None:
    """The compatible interface has the same errors."""
    body, status, code = CASES[case]
    check(client.post("/predict", content=body, headers=JSON), status, code)


def test_a_stream_is_cut_at_the_limit(running: Running) -> None:
    """Without Content-Length the limit still holds: the answer comes while the body still does."""
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.settimeout(10)
        connection.sendall(
            b"POST /v1/fill-mask HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(20):
            connection.sendall(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
        assert connection.recv(1 << 16).split()[1] == b"413"


@pytest.mark.parametrize("length", ["-1", "abc", "1" * 400, "99999999999"])
def test_a_false_content_length_does_no_harm(running: Running, length: str) -> None:
    """What a header claims is checked, not believed."""
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.settimeout(10)
        connection.sendall(
            b"POST /v1/fill-mask HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: " + length.encode() + b"\r\n\r\n{}"
        )
        assert connection.recv(1 << 16).split()[1] in {b"400", b"413", b"422"}


def test_another_content_type_is_415(client: httpx.Client) -> None:
    """A form is not JSON, nor is what says nothing; a JSON-like type is taken."""
    body = f'{{"text": "{SENTENCE}"}}'.encode()
    form = {"content-type": "application/x-www-form-urlencoded"}
    check(client.post("/v1/fill-mask", content=body, headers=form), 415, "unsupported_media_type")
    for kind in ("application/json; charset=utf-8", "application/vnd.x+json"):
        answer = client.post("/v1/fill-mask", content=body, headers={"content-type": kind})
        assert answer.status_code == 200
    nothing = client.post("/v1/fill-mask", content=body, headers={"content-type": ""})
    check(nothing, 415, "unsupported_media_type")


def test_unknown_paths_and_methods_are_told(client: httpx.Client) -> None:
    """404 and 405 have the same shape, and 405 says what is allowed."""
    check(client.get("/nope"), 404, "not_found")
    check(client.get("/../../etc/passwd"), 404, "not_found")
    answer = client.get("/v1/fill-mask")
    check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    answer = client.put("/v1/jobs")
    check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"  # two routes of one address


def test_the_request_id_is_the_clients_own_if_sane(client: httpx.Client) -> None:
    """An id to follow a request by; one that could forge a log line is replaced."""
    answer = client.get("/health/live", headers={"x-request-id": "abc-1.2:3"})
    assert answer.headers["x-request-id"] == "abc-1.2:3"
    answer = client.get("/health/live", headers={"x-request-id": 'a" b'})
    assert answer.headers["x-request-id"] != 'a" b'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
fields = st.sampled_from(["text", "top_k", "truncate", "model", "task", ""])


@given(st.dictionaries(fields, json_values, max_size=5))
def test_no_json_makes_a_server_error(running: Running, body: dict[str, object]) -> None:
    """Whatever JSON the fields hold, the status is below 500 and an error has our shape."""
    with running.client() as client:
        for path in ("/v1/fill-mask", "/predict"):
            content = json.dumps(body).encode()
            answer = client.post(path, content=content, headers=JSON)
            assert answer.status_code < 500, answer.text
            if answer.status_code != 200:
                assert answer.json()["error"]["code"] != "internal"
