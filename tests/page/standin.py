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

STATIC = Path(__file__).parents[2] / "src" / "qingyu" / "web" / "static"
CSP = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)
MASK = re.compile(r"\[mask\]", re.IGNORECASE)
WORDS = "好的大美高热冷晴静新快乐东南西北上下中天"

Answer = dict[str, Any]


def fill_mask(body: Answer, text: str) -> Answer:
    top_k = body.get("top_k", 5)
    scores = [0.62 * 0.5**i for i in range(top_k)]
    masks = []
    for n, match in enumerate(MASK.finditer(text)):
        tokens = [WORDS[(n + i) % len(WORDS)] for i in range(top_k)]
        candidates = [
            {
                "token": token,
                "token_id": 100 + n,
                "score": score,
                "sequence": text[: match.start()] + token + text[match.end() :],
            }
            for token, score in zip(tokens, scores, strict=True)
        ]
        masks.append({"start": match.start(), "end": match.end(), "candidates": candidates})
    return {"text": text, "sequence": MASK.sub("好", text), "masks": masks, "truncated": False}


TASKS = {"fill-mask": fill_mask}
MODEL = {
    "name": "qingyu-small-zh",
    "precision": "int8",
    "tasks": list(TASKS),
    "bytes": 36_500_000,
    "loaded": True,
    "memory": 62_000_000,
}


class RefusalError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str, zh: str, en: str, **headers: str) -> None:
        super().__init__(status, code)
        self.status, self.headers = status, headers
        self.error = {"code": code, "message": zh, "message_en": en, "request_id": "r-1"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/v1/models":
            return self.reply(200, {"models": self.server.standin.models})
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
        task = self.path.removeprefix("/v1/")
        standin.asked.append((task, body))
        try:
            if standin.key and self.headers["Authorization"] != f"Bearer {standin.key}":
                raise RefusalError(401, "unauthorized", "需要访问密钥。", "An API key is needed.")
            if standin.faults:
                raise standin.faults.popleft()
            if standin.delay:
                time.sleep(standin.delay)
            self.reply(200, standin.answer(task, body))
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
        texts = body["text"] if isinstance(body["text"], list) else [body["text"]]
        if any("坏" in text for text in texts):
            raise RefusalError(422, "text_too_long", "这段文本太长。", "The text is too long.")
        results = [TASKS[task](body, text) for text in texts]
        tokens = sum(map(len, texts))
        return {"model": MODEL["name"], "results": results, "tokens": tokens, "elapsed_ms": 3.14}

    def metrics(self) -> str:
        return ""
