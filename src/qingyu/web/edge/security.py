"""API keys, rate limits, and the security headers of answers."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import Scope

from qingyu.errors import SettingsError

from .context import RequestContext
from .errors import STATUS, RateLimitedError, RequestError

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
# Needs a key where there are keys: all that computes or tells about the models. The page, the
# documentation and the health of the process do not.
GUARDED = re.compile(r"/(v1|v2|predict|models|pipeline|metrics)(/|$)")
# What jobs compute is charged as they go; who has no tokens left can still look, and cancel.
UNMETERED = re.compile(r"/v1/jobs(/|$)")
UNGUARDED = re.compile(r"/v2/health/")
# Codes of errors after which nothing was computed, or nothing but what the client got wrong.
FREE = frozenset(code for code, status in STATUS.items() if status < 500)
LINE = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})", re.ASCII)


def hash_key(key: str) -> str:
    """SHA-256 in hex. Keys are random, not chosen by people, so a plain hash cannot be guessed."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_keys(entries: Iterable[str], path: Path | None) -> dict[str, str]:
    """Digest by name, from settings and a file of `NAME:SHA256` lines (`#` begins a comment).

    Raises SettingsError.
    """
    lines = list(entries)
    if path is not None:
        try:
            lines += path.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"无法读取密钥文件 {path}：{error}", f"Cannot read the key file {path}: {error}"
            ) from error
    keys: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        match = LINE.fullmatch(line)
        if match is None:  # the line is not quoted: it may be a key in the clear
            raise SettingsError(
                f"第 {number} 个密钥应写作 名称:SHA256（64 位小写十六进制）。",
                f"Key {number} should read NAME:SHA256 (64 lowercase hex digits).",
            )
        keys[match[1]] = match[2]
    if path is not None and not keys:
        raise SettingsError(f"密钥文件 {path} 为空。", f"The key file {path} holds no key.")
    return keys


@dataclass
class Bucket:
    """Tokens an API key may still use; it may go below zero once and then waits."""

    level: float
    filled_at: float


@dataclass
class Keys:
    """API keys by name, and the rate of each. Without keys everyone may ask."""

    digests: dict[str, str] = field(default_factory=dict)
    tokens_per_minute: int | None = None
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def check(self, scope: Scope, headers: Mapping[bytes, bytes], context: RequestContext) -> None:
        """Lets the request in and notes whose it is. Raises RequestError, RateLimitedError."""
        path = scope["path"]
        if not self.digests or not GUARDED.match(path) or UNGUARDED.match(path):
            return
        if scope["method"] == "OPTIONS":  # a browser asks what it may send, without a key
            return
        context.client = self._name(_presented(headers))
        if not UNMETERED.match(path):
            self.admit(context.client)

    def admit(self, name: str) -> None:
        """Raises RateLimitedError while a key has used up its tokens."""
        if (wait := self.wait(name)) > 0:
            raise RateLimitedError(max(1.0, wait))

    def wait(self, name: str) -> float:
        """Seconds until a key may ask again."""
        if not name or self.tokens_per_minute is None:
            return 0.0
        level = self._filled(name, self.tokens_per_minute).level
        return 0.0 if level > 0 else (1 - level) * 60 / self.tokens_per_minute

    def charge(self, name: str, tokens: int) -> None:
        """Take tokens from a key; its level may go below zero, and then it waits."""
        if name and self.tokens_per_minute is not None:
            self._filled(name, self.tokens_per_minute).level -= tokens

    def hold(self, context: RequestContext, tokens: int) -> None:
        """Take what a request will cost at most, before it is computed."""
        context.charged += tokens
        self.charge(context.client, tokens)

    def settle(self, context: RequestContext, *, answered: bool) -> None:
        """Give back what an answered request did not need, and all of what was not let in or was
        wrong; what was begun and given up stays charged as it was."""
        if answered or context.error in FREE:
            used = context.tokens if answered else 0
            self.charge(context.client, used - context.charged)

    def _name(self, key: bytes) -> str:
        digest = hashlib.sha256(key).hexdigest()
        match = ""
        for name, expected in self.digests.items():  # all of them, whichever matches
            if hmac.compare_digest(digest, expected):
                match = name
        if not match:
            raise RequestError(
                "unauthorized",
                "缺少或错误的 API 密钥（Authorization: Bearer …）。",
                "No API key or a wrong one (Authorization: Bearer …).",
            )
        return match

    def _filled(self, name: str, rate: int) -> Bucket:
        now = self.clock()
        bucket = self._buckets.setdefault(name, Bucket(rate, now))
        passed = max(0.0, now - bucket.filled_at)
        bucket.level = min(float(rate), bucket.level + passed * rate / 60)
        bucket.filled_at = now
        return bucket


def _presented(headers: Mapping[bytes, bytes]) -> bytes:
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return key.strip()
    return headers.get(b"x-api-key", b"").strip()
