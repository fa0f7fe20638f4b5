"""Thousands of requests that are almost right, against a service of its own.

    python -m tests.faults.fuzz --requests 10000

JSON that is valid, bent or broken, over HTTP that is valid, bent or broken, on every path. Ends
with status 1 if an answer is 5xx other than 503, an error has not our shape, the process dies, or
its memory grows by more than a fifth between the second thousand and the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import socket
import string
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.process import Served

PAGE = os.sysconf("SC_PAGE_SIZE")
MODEL = "qingyu-small-zh"
TASKS = (
    "fill-mask", "score", "check", "zero-shot-classification", "text-classification",
    "sentence-similarity", "token-classification", "embeddings",
)  # fmt: skip
PATHS = (
    *(f"/v1/{task}" for task in TASKS),
    "/predict", "/v1/models", f"/models/{MODEL}", f"/pipeline/fill-mask/{MODEL}",
    f"/pipeline/zero-shot-classification/{MODEL}", f"/v2/models/{MODEL}/infer",
    f"/v2/models/{MODEL}", "/v2/repository/index", f"/v2/repository/models/{MODEL}/load",
    "/v2/repository/models/..%2f..%2fetc/load", "/health/live", "/metrics", "/openapi.json", "/",
    "/docs/", "/nope", "/v1/", "//", "/v2/models/%00/infer",
)  # fmt: skip
POSTED = {path for path in PATHS if "v1/" in path or "/infer" in path or "line/" in path} | {
    "/predict", f"/models/{MODEL}", "/v2/repository/index", f"/v2/repository/models/{MODEL}/load",
} - {"/v1/models"}  # fmt: skip
FIELDS = (
    "text", "text_pair", "query", "texts", "top_k", "truncate", "model", "candidate_labels",
    "hypothesis_template", "multi_label", "head", "threshold", "aggregation_strategy", "normalize",
    "inputs", "parameters", "options", "id", "outputs", "", "\x00", "__proto__",
)  # fmt: skip
TEXTS = (
    "今天天气真[MASK]啊。", "[MASK]", "[MASK][MASK][mask]［MASK］", "", " \t\n", "\x00[MASK]",
    "a[MASK]" * 50, "很" * 600 + "[MASK]", "🀄👨‍👩‍👧[MASK]", "\u202e[MASK]\ufeff", "<mask>", "{}",
    "{", "王小明在北京。",
    "\ud800", "é́́́[MASK]", "[CLS][SEP][PAD][MASK]", "%s%n[MASK]", "[MASK]" * 65,
)  # fmt: skip
ODD = (
    None, True, False, 0, -1, 1, 5, 10**30, -(10**400), 1e308, -0.0, 0.5, [], {}, [[]], [None],
    {"text": "x"}, "none", "simple", "error", "end", "windows", MODEL, "../x", "x" * 5000,
)  # fmt: skip


class Fuzzer:
    """Draws requests and keeps what came back."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.dice = random.Random(seed)
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def once(self) -> None:
        if self.dice.random() < 0.1:
            self.raw()
        else:
            self.json()

    def json(self) -> None:
        dice = self.dice
        path = dice.choice(PATHS if dice.random() < 0.5 else PATHS[: len(TASKS)])
        usual = "POST" if path in POSTED else "GET"
        method = dice.choice((usual,) * 9 + ("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"))
        body = self.body()
        headers = {"Content-Type": "application/json"}
        if dice.random() < 0.1:
            headers["Content-Type"] = dice.choice(
                ("text/plain", "", "application/x+json", "a/b;;=")
            )
        if dice.random() < 0.1:
            headers["Accept"] = "application/x-ndjson"
        if dice.random() < 0.1:
            headers["Inference-Header-Content-Length"] = dice.choice(
                ("0", "5", "-1", "9" * 30, "x")
            )
        if dice.random() < 0.05:
            headers["X-Request-ID"] = dice.choice(("a b", "x" * 1000, "\xff", "ok-1"))
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            if not isinstance(error, ConnectionError | http.client.RemoteDisconnected):
                self.faults.append(f"{method} {path}: {error!r} {body[:200]!r}")
            return
        self.judge(f"{method} {path} {body[:300]!r}", response.status, content, method)

    def judge(self, what: str, status: int, content: bytes, method: str) -> None:
        self.statuses[status] += 1
        if status >= 500 and status != 503:
            self.faults.append(f"{status}: {what}")
        if status >= 400 and method != "HEAD":
            try:
                error = json.loads(content)["error"]
                assert error["code"] if isinstance(error, dict) else error
            except (ValueError, KeyError, TypeError, AssertionError):
                self.faults.append(f"shape of {status}: {what} -> {content[:200]!r}")
        if b"Traceback" in content:
            self.faults.append(f"traceback: {what}")

    def body(self) -> bytes:
        dice = self.dice
        kind = dice.random()
        if kind < 0.35:
            return self.likely()
        if kind < 0.75:
            value: Any = {dice.choice(FIELDS): self.value(0) for _ in range(dice.randrange(6))}
            content = json.dumps(value).encode()
        elif kind < 0.85:
            content = json.dumps(self.value(0)).encode()
        else:
            content = self.likely()
        return self.bent(content) if dice.random() < 0.4 else content

    def likely(self) -> bytes:
        """A request that would be right for some path, with one part of it strange."""
        dice = self.dice
        text = dice.choice(TEXTS)
        shapes: tuple[Any, ...] = (
            {"text": text}, {"text": [text, dice.choice(TEXTS)]},
            {"text": text, "candidate_labels": ["美食", dice.choice(TEXTS)]},
            {"text": text, "text_pair": dice.choice(TEXTS)},
            {"query": text, "texts": [dice.choice(TEXTS)]},
            {"inputs": text, "parameters": {dice.choice(FIELDS): self.value(1)}},
            {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}]},
        )  # fmt: skip
        shape = dict(dice.choice(shapes))
        if dice.random() < 0.5:
            shape[dice.choice(FIELDS)] = self.value(1)
        return json.dumps(shape).encode()

    def value(self, depth: int) -> Any:
        dice = self.dice
        kind = dice.random()
        if kind < 0.4:
            return dice.choice(TEXTS)
        if kind < 0.8 or depth > 3:
            return dice.choice(ODD)
        if kind < 0.9:
            return [self.value(depth + 1) for _ in range(dice.randrange(5))]
        return {dice.choice(FIELDS): self.value(depth + 1) for _ in range(dice.randrange(4))}

    def bent(self, content: bytes) -> bytes:
        """Bytes cut, doubled, swapped for others, or nested."""
        dice = self.dice
        piece = bytearray(content or b"{}")
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(piece))
            how = dice.randrange(5)
            if how == 0:
                piece = piece[:at] or bytearray(b"{")
            elif how == 1:
                piece[at] = dice.randrange(256)
            elif how == 2:
                piece[at:at] = piece[at : at + 20]
            elif how == 3:
                piece[at:at] = dice.choice(
                    (b"NaN", b"1e999", b"\\ud800", b"\xff", b'"', b"9" * 500)
                )
            else:
                depth = dice.choice((10, 1000, 100_000))
                piece = bytearray(b"[" * depth + bytes(piece) + b"]" * depth)
        return bytes(piece)

    def raw(self) -> None:
        """HTTP itself bent: the connection may end, the service may not."""
        dice = self.dice
        lines = [
            dice.choice(("POST", "GET", "P\x00ST", "", "A" * 5000)),
            dice.choice(PATHS) + dice.choice(("", "?" + "a=1&" * 100, "#", "\xff", " x")),
            dice.choice(("HTTP/1.1", "HTTP/1.0", "HTTP/9", "", "\r\n")),
        ]
        head = " ".join(lines) + "\r\nHost: localhost\r\nConnection: close\r\n"
        for _ in range(dice.randrange(4)):
            name = dice.choice(
                ("Content-Length", "Transfer-Encoding", "Expect", "X", "Content-Type")
            )
            value = dice.choice(("0", "-1", "5", "99999999999999999999", "chunked", "100-continue",
                                 "".join(dice.choices(string.printable, k=20))))  # fmt: skip
            head += f"{name}: {value}\r\n"
        body = self.body()[:2000]
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            try:
                connection.sendall(head.encode("latin-1", "replace") + b"\r\n" + body)
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(1 << 16)
            except OSError:
                return
        if answer.startswith(b"HTTP/1.1 5") and not answer.startswith(b"HTTP/1.1 503"):
            self.faults.append(f"{answer[:12]!r}: raw {head!r} {body[:100]!r}")


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description="fuzz the service")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    service = Served("--body-timeout", "2", stderr=subprocess.PIPE)
    process, port = service.process, service.port
    os.set_blocking(process.stderr.fileno(), False)  # type: ignore[union-attr]
    told = b""
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        fuzzer = Fuzzer(port, options.seed)
        settled = 0.0
        for number in range(1, options.requests + 1):
            fuzzer.once()
            told = (told + (process.stderr.read() or b""))[-100_000:]  # type: ignore[union-attr]
            if b"Traceback" in told:
                fuzzer.faults.append("a traceback in the log")
                break
            if process.poll() is not None:
                fuzzer.faults.append(f"the service ended with {process.returncode}")
                break
            if number == min(2000, options.requests // 2):
                settled = rss_mb(process.pid)
            if number % 1000 == 0:
                print(number, f"{rss_mb(process.pid):.0f} MB", dict(fuzzer.statuses), flush=True)
        else:
            grown = rss_mb(process.pid)
            print(f"RSS {settled:.0f} MB -> {grown:.0f} MB")
            if grown > 1.2 * settled:
                fuzzer.faults.append(f"memory grew from {settled:.0f} to {grown:.0f} MB")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    if b"Traceback" in told:
        print(told[told.find(b"Traceback") - 500 :].decode(errors="replace")[:5000])
    for fault in fuzzer.faults[:20]:
        print("FAULT", fault)
    print(f"{sum(fuzzer.statuses.values())} answers, {len(fuzzer.faults)} faults")
    return 1 if fuzzer.faults else 0


if __name__ == "__main__":
    sys.exit(main())
