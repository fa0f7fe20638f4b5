"""Ten times more requests than can be computed, for a minute, arriving whether answered or not.

    .venv/bin/python -m bench.load_overload --model BUNDLE --out bench/results/overload.json

First sixteen users that wait for their answers tell the capacity, then requests arrive at --times
that (at random moments; refused ones do not come back), then the sixteen users again. Prints one
row each: those answered with their latency, those refused (429) with theirs, anything else. On a
machine whose cores the clients share, what is really offered may be less than asked for: it is
told too, and what the clients take.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import select
import socket
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.figures import describe
from bench.load import HEADER, line, measure, service
from bench.load_client import Plan, header, make_text
from bench.processes import cpu_seconds, family, resident_megabytes
from bench.sentences import corpus
from bench.serving import ready

MOST_AT_ONCE = 400  # connections of one client process
WRITTEN = 2000  # different requests of one client process
LAST_SECONDS = 60  # in which what is under way at the end may be answered


@dataclass
class Storm:
    """What one client process saw: seconds to an answer of 200, to one of 429, and the rest.

    `unsent` are arrivals for which no connection was free; `cpu` is the client's own, in seconds.
    """

    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    unsent: int = 0
    cpu: float = 0.0


@dataclass
class Asked:
    """A request under way on its connection."""

    connection: socket.socket
    begin: float
    answer: bytes = b""

    @property
    def status(self) -> int:
        """0 until all of the answer has come."""
        head = self.answer.find(b"\r\n\r\n")
        if head < 0:
            return 0
        length = int(header(self.answer[:head].lower(), b"content-length:"))
        return int(self.answer[9:12]) if len(self.answer) >= head + 4 + length else 0


def storm(plan: Plan, rate: float) -> Storm:
    """The body of a client process: arrivals at `rate` a second until the plan's end.

    As cheap as Python can be, since it shares the cores: requests are written beforehand, there is
    one loop and no task.
    """
    dice = random.Random(plan.seed)
    requests = [written(plan, make_text(plan, dice)) for _ in range(WRITTEN)]
    seen, idle, under_way = Storm(), list[socket.socket](), dict[int, Asked]()
    poll = select.epoll()
    time.sleep(max(0.0, plan.start - time.monotonic()))
    spent, arrival = time.process_time(), plan.start
    while (now := time.monotonic()) < plan.end or (under_way and now < plan.end + LAST_SECONDS):
        while arrival <= now and arrival < plan.end:
            arrival += dice.expovariate(rate)
            if len(under_way) >= MOST_AT_ONCE:
                seen.unsent += 1
                continue
            one = idle.pop() if idle else connected(plan, poll)
            one.send(dice.choice(requests))
            under_way[one.fileno()] = Asked(one, time.monotonic())
        for number, _ in poll.poll(max(0.0, min(arrival, plan.end) - now)):
            listen(under_way, number, seen, idle)
    seen.errors |= {"unanswered": len(under_way)} if under_way else {}
    seen.cpu = time.process_time() - spent
    return seen


def listen(
    under_way: dict[int, Asked], number: int, seen: Storm, idle: list[socket.socket]
) -> None:
    """Take what has come on a connection."""
    asked = under_way.get(number)
    if asked is None:  # closed while idle
        return
    data = asked.connection.recv(1 << 16)
    asked.answer += data
    status = asked.status
    if data and not status:
        return
    del under_way[number]
    seconds = time.monotonic() - asked.begin
    if status == 200:
        seen.answered.append(seconds)
    elif status == 429:
        seen.refused.append(seconds)
    else:
        seen.errors[str(status)] = seen.errors.get(str(status), 0) + 1
    if data:
        idle.append(asked.connection)
    else:
        asked.connection.close()


def connected(plan: Plan, poll: select.epoll) -> socket.socket:
    one = socket.create_connection((plan.host, plan.port), 10)
    poll.register(one, select.EPOLLIN)
    return one


def written(plan: Plan, text: str) -> bytes:
    body = json.dumps({"text": text}).encode()
    return (
        f"POST {plan.path} HTTP/1.1\r\nhost: {plan.host}:{plan.port}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


@dataclass(frozen=True)
class Overload:
    """The storm summed up; latencies in ms, `cpu` in per cent of one core."""

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
    cpu: float
    client_cpu: float


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
    pids = family(pid)
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        spent = cpu_seconds(pids)
        found = pool.starmap(storm, [(plan, rate / options.processes) for plan in plans])
        spent = cpu_seconds(pids) - spent
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
        resident_megabytes(*pids),
        100 * spent / options.minute,
        100 * sum(one.cpu for one in found) / options.minute,
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
            f"CPU {during.cpu:.0f} %, clients {during.client_cpu:.0f} %; "
            f"RSS {during.rss_mb:.0f} MB\n"
            f"        of before: answered {during.answered / before.per_second:.2f}, "
            f"P95 {during.p95 / before.p95:.2f}",
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
