"""Hostile clients: little to send, and meant to be dear to answer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from .harness import Attack, Service, job_file, request
from .job_files import only_read

ODD = "啊"
HELD_SECONDS = 2.0  # how long a client that does not go on is held open
FILL = "/v1/fill-mask"
ZERO_SHOT = "/v1/zero-shot-classification"


def unlike(count: int, length: int) -> list[str]:
    """Different words of `length` Chinese characters."""
    return [
        "".join(chr(0x4E00 + (7 * number + 1009 * place) % 6000) for place in range(length))
        for number in range(count)
    ]


# -- clients that do not go on ------------------------------------------------------------------


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    told = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    return "\r\n".join([*told, *lines, "", ""]).encode()


def sent(attacked: Service, *pieces: bytes) -> socket.socket:
    """A connection on which `pieces` were sent, as far as they are taken; nothing is read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(HELD_SECONDS)
    try:
        connection.connect(("127.0.0.1", attacked.port))
    except OSError:  # the service has ended
        connection.close()
        raise
    with suppress(OSError):
        for piece in pieces:
            connection.sendall(piece)
    return connection


def unread(count: int, path: str, body: Any, *lines: str) -> Attack:
    """`count` requests whose answers nobody reads; without a body, with GET."""
    content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    length = f"Content-Length: {len(content)}"
    asked = head(path, length, *lines, method="GET" if body is None else "POST")

    def attack(attacked: Service) -> None:
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(sent(attacked, asked, content))
            threading.Event().wait(HELD_SECONDS)

    return attack


def unfinished(count: int, *pieces: bytes) -> Attack:
    """`count` requests that stop in the middle."""

    def attack(attacked: Service) -> None:
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(sent(attacked, *pieces))
            threading.Event().wait(HELD_SECONDS)

    return attack


def endless_headers(attacked: Service) -> None:
    """A header line after the other, as fast as they are taken."""
    with sent(attacked, head("/health/live", method="GET")[:-2]) as connection, suppress(OSError):
        for _ in range(400):
            connection.sendall(b"X-Header: 1\r\n" * 10_000)


def pipelined(count: int) -> Attack:
    """`count` connections, on each as many requests as fit, and nothing read."""
    return unfinished(count, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20_000)


def left(path: str, body: Any) -> Attack:
    """A request whose client leaves while it is worked on."""
    content = json.dumps(body, ensure_ascii=False).encode()

    def attack(attacked: Service) -> None:
        with sent(attacked, head(path, f"Content-Length: {len(content)}"), content):
            threading.Event().wait(0.2)

    return attack


def together(count: int, attack: Attack) -> Attack:
    """The same attack `count` times at once."""

    def attacks(attacked: Service) -> None:
        def once() -> None:
            with suppress(Exception):  # a client's errors
                attack(attacked)

        threads = [threading.Thread(target=once, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return attacks


# -- work multiplied before it is counted -------------------------------------------------------

LONG_FILL = {"text": (ODD * 300 + "[MASK]") * 60, "top_k": 100}
CLOZE = {
    "text": ODD * 19_000,
    "candidate_labels": [ODD * number for number in range(1, 100)],
    "hypothesis_template": [f"{number}是{{}}。" for number in range(8)],
    "method": "cloze",
}

MULTIPLIED: dict[str, Attack] = {
    "a label put 20,000 times into its template": request(
        ZERO_SHOT,
        {
            "text": "好",
            "candidate_labels": [ODD * 19_000, "b"],
            "hypothesis_template": "{}" * 20_000,
        },
    ),
    "a label put 20,000 times, and gone": left(
        ZERO_SHOT,
        {
            "text": "好",
            "candidate_labels": [ODD * 19_000, "b"],
            "hypothesis_template": "{}" * 20_000,
        },
    ),
    "a label too long for the model, 200 times": request(
        ZERO_SHOT, {"text": "好", "candidate_labels": ["a" * 4000 + str(n) for n in range(200)]}
    ),
    "4,000 labels in one string": request(
        ZERO_SHOT, {"text": "好", "candidate_labels": ",".join(map(str, range(4000)))}
    ),
    "a long text against 200 labels and 8 templates": request(
        ZERO_SHOT,
        {
            "text": ODD * 19_000,
            "candidate_labels": unlike(200, 4),
            "hypothesis_template": [f"{number}是{{}}。" for number in range(8)],
        },
    ),
    "a cloze of labels of every length": request(ZERO_SHOT, CLOZE),
    "9,000 unlike targets": request(FILL, {"text": "今天[MASK]好", "targets": unlike(9000, 4)}),
    "9,000 unlike targets, and gone": left(
        FILL, {"text": "今天[MASK]好", "targets": unlike(9000, 4)}
    ),
    "a target of 10,000 characters": request(
        FILL, {"text": "今天[MASK]好", "targets": [ODD * 10_000]}
    ),
    "64 masks and 2,000 targets": request(
        FILL, {"text": "[MASK]" * 64, "targets": unlike(2000, 2)}
    ),
    "16 masks and 64 alternatives": request(FILL, {"text": "[MASK]" * 16, "alternatives": 64}),
    "16 masks and 64 alternatives, eight times": together(
        8, request(FILL, {"text": "[MASK]" * 16, "alternatives": 64})
    ),
    "16 masks in a lexicon of 10,000": request(
        FILL, {"text": "[MASK]" * 16, "lexicon": unlike(10_000, 16), "alternatives": 64}
    ),
    "a mask spelt in 900 KB": request(FILL, {"text": "a", "mask": [ODD * 290_000]}),
    "100 candidates of 60 masks in a long text": request(FILL, LONG_FILL),
    "100 candidates of 60 masks, eight times": together(8, request(FILL, LONG_FILL)),
    "256 texts with 9,000 targets": request(
        FILL, {"text": ["今[MASK]"] * 256, "targets": unlike(9000, 4)}
    ),
    "a long text checked": request("/v1/check", {"text": "".join(unlike(1, 19_000)), "top_k": 100}),
    "a long text scored": request("/v1/score", {"text": "".join(unlike(1, 19_000))}),
    "a long query against 250 texts": request(
        "/v1/sentence-similarity", {"query": ODD * 19_000, "texts": [ODD * 500] * 250}
    ),
    "a long query against 256 short texts": request(
        "/v1/sentence-similarity", {"query": ODD * 19_000, "texts": [ODD] * 256}
    ),
    "a megabyte of entities": request(
        "/v1/token-classification", {"text": ["王小明在北京。" * 2500] * 16}
    ),
}

# -- bodies dear to read ------------------------------------------------------------------------


def megabyte(before: bytes, repeated: bytes, after: bytes) -> bytes:
    room = (1 << 20) - len(before) - len(after) - 1
    return before + repeated * (room // len(repeated)) + after


def one_byte_chunks(attacked: Service) -> None:
    """A megabyte in chunks of one byte each."""
    with sent(
        attacked, head(FILL, "Transfer-Encoding: chunked"), b"1\r\n \r\n" * (1 << 20), b"0\r\n\r\n"
    ) as connection, suppress(OSError):  # fmt: skip
        connection.recv(100)


INTEGERS = megabyte(b'{"text":[', b"1,", b"1]}")
BODIES: dict[str, Attack] = {
    "a list of integers": request(FILL, INTEGERS),
    "a list of empty texts": request(FILL, megabyte(b'{"text":[', b'"",', b'""]}')),
    "a list of lists": request(FILL, megabyte(b'{"text":[', b"[],", b"[]]}")),
    "lists in lists": request(FILL, b"[" * 500_000 + b"]" * 500_000),
    "keys that are no fields": request(
        FILL, b"{%b}" % b",".join(b'"%d":1' % number for number in range(90_000))
    ),
    "one key again and again": request(FILL, megabyte(b"{", b'"text":"",', b'"text":"a"}')),
    "words of which each is wrong": request(
        FILL, megabyte(b'{"text":"[MASK]","targets":[', b"1,", b"1]}")
    ),
    "labels of which each is wrong": request(
        ZERO_SHOT, megabyte(b'{"text":"a","candidate_labels":{"a":"b"', b',"a":1', b"}}")
    ),
    "many labels of which each is wrong": request(
        ZERO_SHOT,
        b'{"text":"a","candidate_labels":{%b}}'
        % b",".join(b'"%d":1' % number for number in range(90_000)),
    ),
    "a long string of escapes": request(FILL, megabyte(b'{"text":"', rb"\u554a", b'"}')),
    "a number of a million digits": request(FILL, megabyte(b'{"top_k":', b"9", b"}")),
    "a stream of empty texts": request(
        FILL, megabyte(b'{"text":[', b'"",', b'""]}'), headers={"accept": "application/x-ndjson"}
    ),
    "a tensor with a shape of a megabyte": request(
        "/v2/models/qingyu-small-zh/infer",
        megabyte(
            b'{"inputs":[{"name":"text","datatype":"BYTES","data":["a"],"shape":[', b'"",', b"1]}]}"
        ),
    ),
    "a million tensors": request(
        "/v2/models/qingyu-small-zh/infer", megabyte(b'{"inputs":[', b"{},", b"{}]}")
    ),
    "a tensor of 200,000 empty texts": request(
        "/v2/models/qingyu-small-zh/infer",
        b'{"inputs":[{"name":"text","shape":[200000],"datatype":"BYTES",'
        b'"parameters":{"binary_data_size":800000}}]}' + bytes(800_000),
        headers={"inference-header-content-length": "104"},
    ),
    "parameters in another service's shape": request(
        "/models/qingyu-small-zh", megabyte(b'{"inputs":[', b"1,", b"1]}")
    ),
    "ten lists of integers at once": together(10, request(FILL, INTEGERS)),
    "chunks of one byte": one_byte_chunks,
    "headers without end": endless_headers,
    "20,000 requests at once on each of 60": pipelined(60),
    "a model unloaded again and again": request("/v2/repository/models/qingyu-small-zh/unload", {}),
    "a model's name of 900 KB": request(FILL, {"text": "a", "model": "m" * 900_000}),
    "bodies cut off before their end": unfinished(
        600, head(FILL, "Content-Length: 1048000"), b" " * 1_000_000
    ),
}

# -- readers that stop reading ------------------------------------------------------------------

READERS: dict[str, Attack] = {
    "streams never read": unread(
        8, FILL, {"text": ["[MASK]" * 8 + ODD * 50] * 4000, "top_k": 100},
        "Accept: application/x-ndjson",
    ),
    "many streams never read": unread(
        60, FILL, {"text": ["[MASK]" + ODD * 200] * 1000, "top_k": 100},
        "Accept: application/x-ndjson",
    ),
    "large answers never read": unread(
        40, FILL, {"text": (ODD * 100 + "[MASK]") * 20, "top_k": 100}
    ),
    "the API's description never read": unread(200, "/openapi.json", None),
}  # fmt: skip

# -- files of jobs ------------------------------------------------------------------------------


def job_files() -> dict[str, Attack]:
    """A job for each file that has nothing to answer; they are made when they are wanted."""
    return {
        f"a job that reads {name}": job_file(name, data, seconds=HELD_SECONDS)
        for name, data in only_read().items()
    }


KINDS: dict[str, Callable[[], dict[str, Attack]]] = {
    "work multiplied": lambda: MULTIPLIED,
    "bodies dear to read": lambda: BODIES,
    "readers that stop": lambda: READERS,
    "files of jobs": job_files,
}
