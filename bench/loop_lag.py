"""How long bodies up to the limit hold the event loop, over all endpoints.

    .venv/bin/python -m bench.loop_lag

The application runs in this process, with the default model. A timer that should fire every two
milliseconds tells how late it was while a request was read, checked, computed and answered; the
latest is the lag. Every endpoint that takes a body gets bodies of a megabyte: what it is meant for,
and what is dear to refuse. Ends with status 1 where one holds the loop for more than `--within`.

A thread that computes holds the interpreter for some milliseconds at a time, and other work of the
machine counts too: `idle` is what the timer tells when nothing is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from bench.figures import describe
from qingyu.settings import Settings
from qingyu.web.app import create_app

LIMIT = 1 << 20
TICK_SECONDS = 0.002
IDLE_SECONDS = 1.0


@dataclass
class Lag:
    """How late a timer was, in seconds, since the last look."""

    latest: float = 0.0

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self.latest = max(self.latest, loop.time() - due)

    def look(self) -> float:
        latest, self.latest = self.latest, 0.0
        return latest


def filled(before: str, repeated: str, after: str) -> bytes:
    """A body as long as may be."""
    ends = len((before + after).encode())
    return (before + repeated * ((LIMIT - ends) // len(repeated.encode())) + after).encode()


def bodies(text: str, model: str) -> dict[str, bytes]:
    """Bodies in the shape of an endpoint whose text is in the field `text`."""
    own = f'"model":"{model}",' if text == "text" else ""
    return {
        "texts": filled(f'{{{own}"{text}":[', '"今天天气真[MASK]啊。",', '"a"]}'),
        "one text": filled(f'{{{own}"{text}":"', "今天天气真好", '"}'),
        "integers": filled(f'{{{own}"{text}":[', "1,", "1]}"),
        "empty texts": filled(f'{{{own}"{text}":[', '"",', '""]}'),
        "lists": filled(f'{{{own}"{text}":[', "[],", "[]]}"),
        "objects": filled(f'{{{own}"{text}":[', '{"a":1},', "{}]}"),
        "fields": ("{" + ",".join(f'"{n}":1' for n in range(80_000)) + "}").encode(),
        "25,000 values": f'{{{own}"{text}":[{"1," * 24_000}1]}}'.encode(),
        "10,000 texts": json.dumps({text: ["今天[MASK]好"] * 10_000}).encode(),
        "256 texts": json.dumps({text: ["今天[MASK]好" * 60] * 256}).encode(),
    }


def words(text: str) -> dict[str, bytes]:
    """Bodies with many words or labels."""
    targets = [chr(0x4E00 + n) for n in range(9_999)]
    labels = [f"标签{n}" for n in range(200)]
    return {
        "targets": json.dumps({"text": text, "targets": targets}).encode(),
        "targets of 256": json.dumps({"text": [text] * 256, "targets": targets}).encode(),
        "lexicon of 256": json.dumps({"text": [text] * 256, "lexicon": targets}).encode(),
        "labels of 256": json.dumps({"text": [text] * 256, "candidate_labels": labels}).encode(),
        "candidates": json.dumps({"text": text * 60 + "好" * 2000, "top_k": 100}).encode(),
    }


Ask = Callable[[str, bytes, dict[str, str]], Awaitable[int]]


async def measured(lag: Lag, ask: Ask) -> list[tuple[float, str, int]]:
    """(lag, what was asked, status) of every endpoint with every body."""
    model = Settings().model
    found = []
    tasks = (
        "fill-mask", "score", "check", "zero-shot-classification", "text-classification",
        "sentence-similarity", "token-classification", "embeddings",
    )  # fmt: skip
    places = {
        **{f"/v1/{task}": bodies("text", model) for task in tasks},
        "/predict": bodies("text", model),
        f"/models/{model}": bodies("inputs", model),
        f"/pipeline/fill-mask/{model}": bodies("inputs", model),
        f"/v2/models/{model}/infer": bodies("inputs", model),
        "/v1/jobs": bodies("options", model),
    }
    places["/v1/fill-mask"] |= words("今天[MASK]好")
    places["/v1/zero-shot-classification"] |= words("今天好")
    for path, asked in places.items():
        for name, body in asked.items():
            gc.collect()
            await asyncio.sleep(5 * TICK_SECONDS)
            lag.look()
            status = await ask(path, body, {})
            await asyncio.sleep(5 * TICK_SECONDS)
            found.append((lag.look(), f"{path} {name}", status))
    lines = {"accept": "application/x-ndjson"}
    status = await ask("/v1/fill-mask", places["/v1/fill-mask"]["10,000 texts"], lines)
    found.append((lag.look(), "/v1/fill-mask 10,000 texts, streamed", status))
    return found


async def run() -> tuple[float, list[tuple[float, str, int]]]:
    import tempfile

    with tempfile.TemporaryDirectory() as jobs:
        app: Any = create_app(Settings(timeout=5, jobs=jobs, log_level="error"))
        async with app.router.lifespan_context(app):
            lag = Lag()
            watching = asyncio.ensure_future(lag.watch())
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=60
            )

            async def ask(path: str, body: bytes, headers: dict[str, str]) -> int:
                told = {"content-type": "application/json", **headers}
                return (await client.post(path, content=body, headers=told)).status_code

            await asyncio.sleep(IDLE_SECONDS)
            idle = lag.look()
            found = await measured(lag, ask)
            watching.cancel()
            await client.aclose()
    return idle, found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--within", type=float, default=50.0, help="milliseconds")
    options = parser.parse_args()
    print(describe())
    idle, found = asyncio.run(run())
    print(f"idle {idle * 1e3:.1f} ms")
    for seconds, asked, status in sorted(found, reverse=True):
        print(f"{seconds * 1e3:8.1f} ms  {status}  {asked}")
    worst = max(found)[0] * 1e3
    print(f"worst {worst:.1f} ms of {len(found)}, within {options.within:g} ms")
    return int(worst > options.within)


if __name__ == "__main__":
    sys.exit(main())
