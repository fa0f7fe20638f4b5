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

from qingyu.web.api.documents import WORD, changed

STATIC = Path(__file__).parents[2] / "src" / "qingyu" / "web" / "static"
# As the service sends it: see `qingyu.web.security`.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
LINES = "application/x-ndjson"
MASK = re.compile(r"\[mask\]|_{2,}", re.IGNORECASE)
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
    words = body.get("lexicon", ["好" * len(masks), "美" * len(masks)])
    together = [fill_all(text, word) for word in words[: body.get("alternatives", 0)]]
    answer = {"text": text, "sequence": MASK.sub("好", text), "masks": masks, "truncated": False}
    return {**answer, "alternatives": together, "converted": "氣" in text}


def fill_all(text: str, word: str) -> Answer:
    """One character of `word` a mask."""
    characters = iter(word)
    sequence = MASK.sub(lambda _: next(characters), text)
    return {"tokens": list(word), "score": 0.25, "sequence": sequence}


def zero_shot(body: Answer, text: str) -> Answer:
    labels = sorted(body["candidate_labels"], key=lambda label: label not in text)
    scores = [0.5 ** (i + 1) for i in range(len(labels))]
    return {
        "text": text,
        "labels": labels,
        "scores": scores,
        "multi_label": body["multi_label"],
        "truncated": len(text) > 100,
    }


def classify(body: Answer, text: str) -> Answer:
    labels = ["负面", "正面"] if "差" in text else ["正面", "负面"]
    return {
        "text": text,
        "label": labels[0],
        "score": 0.93,
        "labels": labels,
        "scores": [0.93, 0.07],
    }


def similarity(body: Answer, text: str) -> Answer:
    if "texts" in body:
        ranking = [
            {"index": i, "text": other, "score": len(set(text) & set(other)) / len(set(text))}
            for i, other in enumerate(body["texts"])
        ]
        ranking.sort(key=lambda ranked: -ranked["score"])
        return {"text": text, "ranking": ranking}
    return {"text": text, "text_pair": body["text_pair"], "label": "相似", "score": 0.87}


NAMES = {"北京": "LOC", "王小明": "PER", "华为公司": "ORG", "深圳": "LOC"}


def entities(body: Answer, text: str) -> Answer:
    found = [
        {"label": label, "text": name, "start": m.start(), "end": m.end(), "score": 0.97}
        for name, label in NAMES.items()
        for m in re.finditer(name, text)
    ]
    return {"text": text, "entities": sorted(found, key=lambda e: e["start"])}


def score(body: Answer, text: str) -> Answer:
    tokens = [
        {"token": c, "start": i, "end": i + 1, "log_prob": -6.0 if c == "汽" else -0.4}
        for i, c in enumerate(text)
    ]
    return {"text": text, "log_likelihood": -9.0, "perplexity": 7.42, "tokens": tokens}


MISTAKES = {"汽": ("气", 0.9), "在说": ("再说", 0.3)}


def check(body: Answer, text: str) -> Answer:
    kept = {i for w in body.get("keep", []) for m in re.finditer(w, text) for i in range(*m.span())}
    suspects = []
    for wrong, (right, confidence) in MISTAKES.items():
        candidates = [
            {"token": right, "score": confidence, "sequence": ""},
            {"token": "色" * len(wrong), "score": 0.02, "sequence": ""},
        ]
        suspects += [
            {
                "text": wrong,
                "start": m.start(),
                "end": m.end(),
                "score": 0.001,
                "candidates": candidates,
                "reason": "同音",
                "confidence": confidence,
                "changed": confidence > 0.5,
            }
            for m in re.finditer(wrong, text)
            if m.start() not in kept
        ]
    suspects.sort(key=lambda suspect: int(str(suspect["start"])))
    corrected = text.replace("汽", "气")
    return {"text": text, "corrected": corrected, "suspects": suspects, "script": "simplified"}


def rewrite(body: Answer, text: str) -> Answer:
    return {"text": text, "generated_text": text[::-1]}


def exercise(body: Answer, text: str) -> Answer:
    """棵 is the only word that is blanked."""
    choices = ["张", "棵", "条", "匹"][: body.get("choices", 4)] if body["choices"] > 1 else []
    items = [
        {"number": 1, "start": m.start(), "end": m.end(), "kind": "measures", "answer": "棵",
         "choices": choices, "probability": 0.9}
        for m in list(re.finditer("棵", text))[:1]
    ]  # fmt: skip
    return {"text": text, "blanked": text.replace("棵", "（1）____", 1), "items": items}


def search(body: Answer, text: str) -> Answer:
    """The rows that share most characters with the text."""
    share = {one: len(set(text) & set(one)) / len(set(text)) for one in FAQ}
    hits = [
        {"id": i, "text": one, "score": share[one], "words": share[one] / 4, "same": share[one],
         "row": {"问题": one, "答案": FAQ[one]}}
        for i, one in enumerate(sorted(FAQ, key=share.__getitem__, reverse=True))
    ]  # fmt: skip
    return {"text": text, "hits": hits[: body["top_k"]]}


FAQ = {"如何修改密码？": "在设置里改。", "怎样申请退款？": "在订单里点退款。"}
INDEX = {"name": "常见问题", "rows": 2, "text": "问题", "digest": "0", "problem": None}
HEAD = {"name": "客服", "labels": ["退款", "发票"], "about": {}, "digest": "0", "problem": None}

TASKS = {
    "fill-mask": fill_mask,
    "zero-shot-classification": zero_shot,
    "text-classification": classify,
    "sentence-similarity": similarity,
    "token-classification": entities,
    "score": score,
    "check": check,
    "text2text-generation": rewrite,
    "exercise": exercise,
    "search": search,
}
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
    "accuracy": {
        "hidden": {"cosine": 0.999735},
        "fill-mask": {"rows": 64, "top1": 0.96875, "kl": 0.001557},
    },
}


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
        if path == "/v1/phrases":
            return self.reply(200, {"phrases": [], "enabled": True})
        if path == "/v1/indexes":
            return self.reply(200, {"indexes": [INDEX], "enabled": True})
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
            f"qingyu_busy_seconds_total {0.5 * n}\nqingyu_batch_fill 0.25\n"
            "qingyu_queue_tokens 128\nqingyu_queue_limit_tokens 8192\n"
            "qingyu_cache_bytes 52000\nqingyu_refused_total 3\nqingyu_resident_bytes 1.5e+08\n"
        )
