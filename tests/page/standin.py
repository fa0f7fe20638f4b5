"""A stand-in for the service: the same JSON from plain formulas, and faults at will.

The page's behaviour under refusals and lost connections is tested against it, because the real
service, rightly, gives none of them on command. What the real service answers is tested in
`test_service.py` of this folder.
"""

from __future__ import annotations

import contextlib
import json
import mimetypes
import re
import socket
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from qingyu.client.answers import result
from qingyu.jobs.exercise_sheet import document
from qingyu.results import ExerciseResult
from qingyu.web.api.documents import WORD, changed

from .formulas import TASKS, exercise

STATIC = Path(__file__).parents[2] / "src" / "qingyu" / "web" / "static"
# As the service sends it: see `qingyu.web.security`.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
LINES = "application/x-ndjson"

Answer = dict[str, Any]

INDEX = {"name": "常见问题", "rows": 2, "text": "问题", "digest": "0", "problem": None}
HEAD = {"name": "客服", "labels": ["退款", "发票"], "about": {}, "digest": "0", "problem": None}
MODEL = {
    "name": "qingyu-small-zh",
    "family": "bert",
    "precision": "int8",
    "tasks": [*TASKS, "feature-extraction"],
    "bytes": 33_461_110,
    "parameters": 32_841_734,
    "loaded": True,
    "pinned": False,
    "memory_bytes": 61_000_000,
    "licence": "Apache-2.0",
    "digest": "1472acbdc63a0f",
    "accuracy": {
        "hidden": {"cosine": 0.999735},
        "fill-mask": {"rows": 64, "top1": 0.96875, "kl": 0.001557},
    },
}


CARD = """# small

## 怎么来的
由 `qingyu build` 做成。

| 数据 | 得分 |
|---|---|
| <img src=x> | 0.9 |
"""


class RefusalError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str, zh: str, en: str, **headers: str) -> None:
        super().__init__(status, code)
        self.status, self.headers = status, headers
        self.error = {"code": code, "message": zh, "message_en": en, "request_id": "r-1"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet: else Nagle's wait slows every answer
    server: Server

    def log_message(self, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/v1/models":
            models = self.server.standin.models
            return self.reply(200, {"models": models, "default": models[0]["name"]})
        if re.fullmatch("/v1/models/[^/]+/card", path):
            return self.send(200, CARD.encode(), "text/markdown; charset=utf-8")
        if path == "/v1/phrases":
            return self.reply(200, {"phrases": [], "enabled": True})
        if path == "/v1/words":
            return self.reply(200, {"lists": [], "enabled": False})
        if path == "/v1/indexes":
            return self.reply(200, {"indexes": [INDEX], "enabled": True})
        if path == "/v1/jobs":
            return self.reply(200, {"jobs": [], "next": None, "enabled": False})
        if path == "/v1/heads":
            return self.reply(200, {"heads": [HEAD], "enabled": True})
        if path == "/metrics":
            return self.send(200, self.server.standin.metrics().encode(), "text/plain")
        file = (STATIC / (path.lstrip("/") or "index.html")).resolve()
        if STATIC in file.parents and file.is_file():
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            return self.send(200, file.read_bytes(), kind)
        return self.reply(
            404, {"error": {"code": "not_found", "message": "没有", "message_en": "none"}}
        )

    def do_POST(self) -> None:
        standin = self.server.standin
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if match := re.fullmatch(r"/v2/repository/models/(.+)/(load|unload)", self.path):
            return self.reply(200, standin.turn(match[1], match[2] == "load"))
        task = self.path.removeprefix("/v1/")
        standin.asked.append((task, body))
        try:
            if standin.key and self.headers["Authorization"] != f"Bearer {standin.key}":
                raise RefusalError(401, "unauthorized", "需要访问密钥。", "An API key is needed.")
            if standin.faults:
                raise standin.faults.popleft()
            if standin.delay:
                time.sleep(standin.delay)
            if task == "check/document/changed":
                return self.send(200, changed(json.dumps(body).encode()), WORD)
            if task == "exercise/document":
                made = result(ExerciseResult, exercise(body, body["text"]))
                return self.send(200, document([made]), WORD)
            answer = standin.answer(task, body)
            if self.headers.get("Accept") == LINES:
                lines = [{"index": i, "result": one} for i, one in enumerate(answer["results"])]
                told = "".join(f"{json.dumps(one)}\n" for one in [*lines, {"done": True}])
                return self.send(200, told.encode(), LINES)
            self.reply(200, answer)
        except RefusalError as refusal:
            self.reply(refusal.status, {"error": refusal.error}, refusal.headers)

    def reply(self, status: int, answer: Answer, headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(answer).encode(), "application/json", headers)

    def send(
        self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in (headers or {}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    standin: StandIn

    def __init__(self, *args: Any) -> None:
        self.open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends kept-alive connections too, as the death of a process does."""
        for request in list(self.open):
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *args: Any) -> None:
        """A browser that hangs up is no news."""


class StandIn:
    """Serves on a free port of loopback; `stop()` and `start()` keep the port."""

    def __init__(self) -> None:
        self.port = 0
        self.start()
        self.clear()

    def clear(self) -> None:
        """Back to a healthy service that has been asked nothing."""
        self.asked: list[tuple[str, Answer]] = []
        self.faults: deque[RefusalError] = deque()
        self.models: list[Answer] = [dict(MODEL)]
        self.key = ""
        self.readings = 0
        self.delay = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.standin = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.server.hang_up()

    def answer(self, task: str, body: Answer) -> Answer:
        sent = body.get("text", body.get("query"))
        texts = sent if isinstance(sent, list) else [sent]
        if any("坏" in text for text in texts):  # type: ignore[operator]
            raise RefusalError(422, "text_too_long", "这段文本太长。", "The text is too long.")
        results = [TASKS[task](body, text) for text in texts]
        tokens = sum(map(len, texts))
        return {"model": MODEL["name"], "results": results, "tokens": tokens, "elapsed_ms": 3.14}

    def turn(self, name: str, on: bool) -> Answer:
        """Loads or unloads a model."""
        model = next(m for m in self.models if m["name"] == name)
        model.update(loaded=on, memory_bytes=61_000_000 if on else 0)
        return {}

    def metrics(self) -> str:
        """Counters that have grown by what a reading every two seconds should show as round."""
        self.readings += 1
        n = self.readings
        return (
            "# HELP qingyu_requests_total Requests answered\n"
            f'qingyu_requests_total{{path="/v1/fill-mask",status="200"}} {80 * n}\n'
            f'qingyu_requests_total{{path="/metrics",status="200"}} {n}\n'
            f'qingyu_request_seconds_bucket{{task="fill-mask",le="0.004"}} {40 * n}\n'
            f'qingyu_request_seconds_bucket{{task="fill-mask",le="0.007"}} {80 * n}\n'
            f'qingyu_request_seconds_bucket{{task="fill-mask",le="+Inf"}} {80 * n}\n'
            f"qingyu_batch_tokens_total {960 * n}\nqingyu_batches_total {40 * n}\n"
            f"qingyu_cache_hits_total {20 * n}\nqingyu_cache_misses_total {60 * n}\n"
            f"qingyu_busy_seconds_total {0.5 * n}\nqingyu_batch_fill 1.25\n"
            "qingyu_queue_tokens 128\nqingyu_queue_limit_tokens 8192\n"
            "qingyu_cache_bytes 52000\nqingyu_refused_total 3\nqingyu_resident_bytes 1.5e+08\n"
        )
