"""Ten times more requests than can be computed, for a minute, arriving whether answered or not.

    .venv/bin/python -m bench.load_overload --model BUNDLE --out bench/results/overload.json

First sixteen users that wait for their answers tell the capacity, then requests arrive at --times
that (at random moments; refused ones do not come back), then the sixteen users again. Prints one
row each: those answered with their latency, those refused (429) with theirs, anything else. On a
machine whose cores the clients share, what is really offered may be less than asked for: it is
told too. A fast model needs more clients than two cores can drive; take BERT-base.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.figures import describe
from bench.load import HEADER, line, measure, service
from bench.load_client import Connection, Plan, make_text
from bench.processes import family, resident_megabytes
from bench.sentences import corpus
from bench.serving import ready

MOST_AT_ONCE = 400  # connections of one client process


@dataclass
class Storm:
    """What one client process saw: seconds to an answer of 200, to one of 429, and the rest.

    `unsent` are arrivals for which no connection was free.
    """

    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    unsent: int = 0


def storm(plan: Plan, rate: float) -> Storm:
    """The body of a client process: arrivals at `rate` a second until the plan's end."""
    seen = Storm()
    asyncio.run(_storm(plan, rate, seen))
    return seen


async def _storm(plan: Plan, rate: float, seen: Storm) -> None:
    dice = random.Random(plan.seed)
    idle: list[Connection] = []
    under_way: set[asyncio.Task[None]] = set()
    await asyncio.sleep(max(0.0, plan.start - time.monotonic()))
    arrival = plan.start
    while arrival < plan.end:
        arrival += dice.expovariate(rate)
        if (wait := arrival - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        elif not len(under_way) % 8:
            await asyncio.sleep(0)  # late already; let answers be read
        if len(under_way) >= MOST_AT_ONCE:
            seen.unsent += 1
            await asyncio.sleep(0)
            continue
        connection = idle.pop() if idle else Connection(plan)
        body = json.dumps({"text": make_text(plan, dice)}).encode()
        task = asyncio.ensure_future(_one(connection, body, seen, idle))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    if under_way:
        await asyncio.wait(under_way, timeout=60)
    for connection in idle:
        connection.close()


async def _one(connection: Connection, body: bytes, seen: Storm, idle: list[Connection]) -> None:
    begin = time.monotonic()
    try:
        status, _ = await connection.ask(body)
    except (OSError, EOFError) as error:
        connection.close()
        name = type(error).__name__
        seen.errors[name] = seen.errors.get(name, 0) + 1
        return
    idle.append(connection)
    seconds = time.monotonic() - begin
    if status == 200:
        seen.answered.append(seconds)
    elif status == 429:
        seen.refused.append(seconds)
    else:
        seen.errors[str(status)] = seen.errors.get(str(status), 0) + 1


@dataclass(frozen=True)
class Overload:
    """The storm summed up; latencies in ms."""

    offered: float
    answered: float
    refused: float
    unsent: float
    p50: float
    p95: float
    p99: float
    refused_p95: float
    errors: dict[str, int]
    rss_mb: float


def overload(options: argparse.Namespace, rate: float, pid: int) -> Overload:
    url = urlsplit(options.url)
    start = time.monotonic() + 1.0
    end, text = start + options.minute, corpus()
    plans = [
        Plan(
            url.hostname or "", url.port or 80, options.path, 0, start, start, end,
            options.length, text, number, True,
        )
        for number in range(options.processes)
    ]  # fmt: skip
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        found = pool.starmap(storm, [(plan, rate / options.processes) for plan in plans])
    answered = sorted(second for one in found for second in one.answered)
    refused = sorted(second for one in found for second in one.refused)
    errors: dict[str, int] = {}
    for one in found:
        for name, count in one.errors.items():
            errors[name] = errors.get(name, 0) + count
    unsent = sum(one.unsent for one in found)
    total = len(answered) + len(refused) + sum(errors.values())
    return Overload(
        total / options.minute,
        len(answered) / options.minute,
        len(refused) / options.minute,
        unsent / options.minute,
        at(answered, 0.5),
        at(answered, 0.95),
        at(answered, 0.99),
        at(refused, 0.95),
        errors,
        resident_megabytes(*family(pid)),
    )


def at(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))] * 1e3 if times else float("nan")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="", help="bundle to serve; default: the one inside")
    parser.add_argument("--times", type=float, default=10.0, help="of the capacity measured first")
    parser.add_argument("--minute", type=float, default=60.0, help="seconds of overload")
    parser.add_argument("--seconds", type=float, default=6.0, help="of the rows before and after")
    parser.add_argument("--length", type=int, default=16, help="tokens of every text")
    parser.add_argument("--processes", type=int, default=2, help="client processes")
    parser.add_argument("--out", type=Path)
    parser.add_argument("serve", nargs="*", help="after --: flags for qingyu serve")
    parser.set_defaults(
        url="", path="/v1/fill-mask", pid=0, cache="0", hammer=False, key="", warm_up=1.0
    )
    return parser.parse_args()


def main() -> None:
    options = parse()
    print(describe())
    with service(options) as pid:
        print(f"{'':<8}{HEADER}")
        before = measure(options, 16, family(pid))
        print(f"{'before':<8}{line(before)}", flush=True)
        during = overload(options, options.times * before.per_second, pid)
        print(
            f"{'during':<8}offered {during.offered:.0f}/s ({during.unsent:.0f}/s more were not "
            f"sent): answered {during.answered:.0f}/s, P50 {during.p50:.0f} P95 {during.p95:.0f} "
            f"P99 {during.p99:.0f} ms; refused {during.refused:.0f}/s within "
            f"{during.refused_p95:.0f} ms (P95); errors {during.errors or 0}; "
            f"RSS {during.rss_mb:.0f} MB",
            flush=True,
        )
        options.warm_up = 0.0
        alive = ready(urlsplit(options.url).port or 80)
        after = measure(options, 16, family(pid))
        print(f"{'after':<8}{line(after)}")
        print("the service is ready" if alive else "THE SERVICE IS NOT READY")
    if options.out:
        record = {"kind": "overload", "machine": describe(), "model": options.model or "default"}
        record |= {"before": asdict(before), "during": asdict(during), "after": asdict(after)}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
