"""A client process of `load.py`: some users on connections of their own, each asking in turn.

Lean on purpose, because it shares the cores with the service it measures: requests are written as
bytes, of a response only status, length and Retry-After are read.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_BACK_OFF = 30.0


@dataclass(frozen=True)
class Plan:
    """What one client process does. Times are of time.monotonic, the same in all processes."""

    host: str
    port: int
    path: str
    users: int
    start: float
    warm_until: float
    end: float
    length: int | None  # tokens of every text, or None for a realistic mixture
    corpus: str
    seed: int
    hammer: bool  # ask again at once when refused, instead of after Retry-After
    key: str = ""


@dataclass
class Tally:
    """What was seen after the warm-up: seconds of each answer of 200, and how many of the rest."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def fail(self, what: str) -> None:
        self.errors[what] = self.errors.get(what, 0) + 1


def run(plan: Plan) -> Tally:
    """The body of a client process."""
    try:
        import uvloop

        runner: Callable[..., object] = uvloop.run
    except ImportError:
        runner = asyncio.run
    tally = Tally()
    runner(_run(plan, tally))
    return tally


async def _run(plan: Plan, tally: Tally) -> None:
    await asyncio.gather(*[_user(plan, tally, number) for number in range(plan.users)])


async def _user(plan: Plan, tally: Tally, number: int) -> None:
    dice = random.Random(plan.seed * 1000 + number)
    await asyncio.sleep(max(0.0, plan.start - time.monotonic()) + dice.random() * 0.05)
    connection = Connection(plan)
    while (begin := time.monotonic()) < plan.end:
        body = json.dumps({"text": make_text(plan, dice)}).encode()
        try:
            status, retry_after = await connection.ask(body)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            connection.close()
            if begin >= plan.warm_until:
                tally.fail(type(error).__name__)
            await asyncio.sleep(0.05)
            continue
        now = time.monotonic()
        if status == 429:
            tally.refused += begin >= plan.warm_until
            wait = 0.0 if plan.hammer else min(retry_after, MAX_BACK_OFF)
            await asyncio.sleep(min(wait * (0.5 + dice.random()), max(0.0, plan.end - now)))
        elif begin >= plan.warm_until:
            if status == 200:
                tally.seconds.append(now - begin)
            else:
                tally.fail(str(status))
    connection.close()


class Connection:
    """One keep-alive connection, opened when first used."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        key = f"authorization: Bearer {plan.key}\r\n" if plan.key else ""
        self._head = (
            f"POST {plan.path} HTTP/1.1\r\nhost: {plan.host}:{plan.port}\r\n{key}"
            "content-type: application/json\r\ncontent-length: "
        ).encode()

    async def ask(self, body: bytes) -> tuple[int, float]:
        """Status, and seconds of Retry-After. Raises OSError, EOFError."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                self._plan.host, self._plan.port
            )
        self._writer.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(header(head, b"content-length:") or 0)
        await self._reader.readexactly(length)
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), float(header(head, b"retry-after:") or 1)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def header(head: bytes, name: bytes) -> bytes:
    """The value of a header of a head in lower case, its name with a colon."""
    start = head.find(name)
    return head[start + len(name) : head.find(b"\r\n", start)].strip() if start >= 0 else b""


def make_text(plan: Plan, dice: random.Random) -> str:
    """A stretch of the corpus with one character masked; it is not seen twice in practice.

    A Chinese character is a token, and three more are [MASK], [CLS] and [SEP]. The mixture is
    log-normal: half the texts below 18 tokens, one in twenty above 60, the longest 254.
    """
    if plan.length is not None:
        count = max(1, plan.length - 3)
    else:
        count = min(250, max(4, round(dice.lognormvariate(2.7, 0.75))))
    start = dice.randrange(len(plan.corpus) - count)
    at = dice.randrange(count + 1)
    text = plan.corpus[start : start + count]
    return f"{text[:at]}[MASK]{text[at:]}"
