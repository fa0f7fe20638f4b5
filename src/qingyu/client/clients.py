"""A client that waits for each answer, and one that is awaited."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from qingyu.errors import QingyuError
from qingyu.numbers import FloatArray
from qingyu.tasks import registry

from .answers import error, results, strange, unreachable
from .methods import Methods
from .questions import Question, Questions, questions

URL = "http://127.0.0.1:8000"
TIMEOUT = 60.0  # seconds for one request


class Client(Methods):
    """A service as if it were a `Model`: its methods, its results, its errors.

    url:     of the service
    model:   which of its models; None: its default
    api_key: where it asks for one
    timeout: seconds that one request may take

    `phrases` names memories that the service has. Lists go in requests of 256 texts. A service
    that cannot be reached raises ServiceError, a busy one OverloadedError with `retry_after`.
    """

    def __init__(
        self,
        url: str = URL,
        *,
        model: str | None = None,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Raises QingyuError where httpx is not installed."""
        self.url = url.rstrip("/")
        self.model = model
        self._http = _httpx().Client(
            base_url=f"{self.url}/", headers=_headers(api_key), timeout=timeout
        )

    def search(
        self, index: str, text: str | Sequence[str], *, top_k: int = 5, rerank: bool = True
    ) -> Any:
        """Search 检索: the rows of an index of the service that answer a text."""
        given = {"top_k": top_k, "rerank": rerank}
        return self.ask(questions(registry.SEARCH, self.model, text, (index,), given))

    def encode(self, texts: str | Sequence[str]) -> FloatArray:
        """Vectors of length 1, float32 [n, d], or [d] of a single text."""
        found = self.embed([texts] if isinstance(texts, str) else texts)
        vectors = np.array([one.embedding for one in found], np.float32)
        return vectors[0] if isinstance(texts, str) else vectors

    def models(self) -> list[dict[str, Any]]:
        """The models of the service, with their tasks."""
        return _models(self._send("GET", "v1/models"))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def ask(self, asked: Questions) -> Any:
        """The results of a call's requests, one after the other."""
        answers = [self._post(one) for one in asked.each]
        every = [one for part in answers for one in part]
        return every[0] if asked.alone else every

    def _post(self, one: Question) -> list[Any]:
        content = self._send("POST", one.path, one.body, one.before)
        return results(one.kind, content)

    def _send(self, method: str, path: str, body: bytes | None = None, before: int = 0) -> bytes:
        httpx = _httpx()
        try:
            answer = self._http.request(method, path, content=body)
        except (httpx.TransportError, httpx.InvalidURL) as failed:
            raise unreachable(self.url, failed) from failed
        return _content(answer, before)


class AsyncClient(Methods):
    """A service as if it were a `Model`: its methods awaited, its results, its errors.

    url:     of the service
    model:   which of its models; None: its default
    api_key: where it asks for one
    timeout: seconds that one request may take

    `phrases` names memories that the service has. Lists go in requests of 256 texts. A service
    that cannot be reached raises ServiceError, a busy one OverloadedError with `retry_after`.
    """

    def __init__(
        self,
        url: str = URL,
        *,
        model: str | None = None,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Raises QingyuError where httpx is not installed."""
        self.url = url.rstrip("/")
        self.model = model
        self._http = _httpx().AsyncClient(
            base_url=f"{self.url}/", headers=_headers(api_key), timeout=timeout
        )

    async def search(
        self, index: str, text: str | Sequence[str], *, top_k: int = 5, rerank: bool = True
    ) -> Any:
        """Search 检索: the rows of an index of the service that answer a text."""
        given = {"top_k": top_k, "rerank": rerank}
        return await self.ask(questions(registry.SEARCH, self.model, text, (index,), given))

    async def encode(self, texts: str | Sequence[str]) -> FloatArray:
        """Vectors of length 1, float32 [n, d], or [d] of a single text."""
        found = await self.embed([texts] if isinstance(texts, str) else texts)
        vectors = np.array([one.embedding for one in found], np.float32)
        return vectors[0] if isinstance(texts, str) else vectors

    async def models(self) -> list[dict[str, Any]]:
        """The models of the service, with their tasks."""
        return _models(await self._send("GET", "v1/models"))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    async def ask(self, asked: Questions) -> Any:
        """The results of a call's requests, one after the other."""
        answers = [await self._post(one) for one in asked.each]
        every = [one for part in answers for one in part]
        return every[0] if asked.alone else every

    async def _post(self, one: Question) -> list[Any]:
        content = await self._send("POST", one.path, one.body, one.before)
        return results(one.kind, content)

    async def _send(
        self, method: str, path: str, body: bytes | None = None, before: int = 0
    ) -> bytes:
        httpx = _httpx()
        try:
            answer = await self._http.request(method, path, content=body)
        except (httpx.TransportError, httpx.InvalidURL) as failed:
            raise unreachable(self.url, failed) from failed
        return _content(answer, before)


def _httpx() -> ModuleType:
    """Imported when a client is made. Raises QingyuError where it is not installed."""
    try:
        import httpx
    except ModuleNotFoundError as missing:
        raise QingyuError(
            "客户端需要 httpx：pip install httpx。", "A client needs httpx: pip install httpx."
        ) from missing
    return httpx


def _headers(api_key: str | None) -> dict[str, str]:
    key = {"authorization": f"Bearer {api_key}"} if api_key else {}
    return {"content-type": "application/json", **key}


def _content(answer: Any, before: int) -> bytes:
    """The body of an answer. Raises the error that it tells of."""
    content: bytes = answer.content
    if answer.status_code != 200:
        raise error(answer.status_code, content, answer.headers, before)
    return content


def _models(content: bytes) -> list[dict[str, Any]]:
    try:
        listed: list[dict[str, Any]] = json.loads(content)["models"]
    except (ValueError, KeyError, TypeError) as failed:
        raise strange() from failed
    return listed
