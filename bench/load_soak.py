"""Memory over many requests: the service's RSS after 1,000, 2,000, ... requests of mixed length.

    .venv/bin/python -m bench.load_soak --requests 100000
    .venv/bin/python -m bench.load_soak --requests 100000 --model BUNDLE -- --cache 0

The service runs as `qingyu serve` does by default, its cache on, so that what the cache takes is
counted too: hardly a request is seen twice. Ends with status 1 if the last figure is more than
`--within` per cent above the first.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench.figures import describe
from bench.load import service
from bench.load_client import Plan, run
from bench.processes import family, resident_megabytes
from bench.sentences import corpus

MARKS = (1, 2, 5)
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Reading:
    requests: int
    seconds: float
    rss_mb: float
    cached: int


def read(url: str, name: str) -> float:
    """A metric's sum over its labels."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def settled_rss(pid: int) -> float:
    """The median of two seconds: batches take and free some MB all the time."""
    samples = []
    for _ in range(40):
        samples.append(resident_megabytes(*family(pid)))
        time.sleep(LOOK_SECONDS)
    return median(samples)


def soak(options: argparse.Namespace, pid: int) -> list[Reading]:
    """Drive `options.users` until so many requests were answered; a reading at each mark."""
    url = urlsplit(options.url)
    start = time.monotonic() + 0.6
    text = corpus()
    plans = [
        Plan(
            url.hostname or "", url.port or 80, options.path,
            options.users // options.processes, start, start, float("inf"),
            options.length, text, number, False,
        )
        for number in range(options.processes)
    ]  # fmt: skip
    marks = [n * 10**e for e in range(3, 9) for n in MARKS if n * 10**e < options.requests]
    marks.append(options.requests)
    context = multiprocessing.get_context("spawn")
    clients = [context.Process(target=run, args=(plan,), daemon=True) for plan in plans]
    for client in clients:
        client.start()
    readings: list[Reading] = []
    try:
        while marks:
            time.sleep(LOOK_SECONDS)
            answered = int(read(options.url, "qingyu_request_seconds_count"))
            if answered >= marks[0]:
                cached = int(read(options.url, "qingyu_cache_bytes"))
                seconds = time.monotonic() - start
                readings.append(Reading(answered, seconds, settled_rss(pid), cached))
                print(line(readings[-1]), flush=True)
                marks = [mark for mark in marks if mark > answered]
    finally:
        for client in clients:
            client.terminate()
            client.join()
    return readings


HEADER = f"{'requests':>10}{'seconds':>10}{'RSS MB':>10}{'cache MB':>10}"


def line(one: Reading) -> str:
    return f"{one.requests:>10}{one.seconds:>10.0f}{one.rss_mb:>10.1f}{one.cached / 1e6:>10.2f}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="", help="bundle to serve; default: the one inside")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--length", type=int, help="tokens of every text; default: a mixture")
    parser.add_argument("--processes", type=int, default=2, help="client processes")
    parser.add_argument("--within", type=float, default=5.0, help="per cent it may grow")
    parser.add_argument("--out", type=Path, help="write the readings there, as JSON")
    parser.add_argument("serve", nargs="*", help="after --: flags for qingyu serve")
    parser.set_defaults(url="", path="/v1/fill-mask", pid=0, cache="")
    return parser.parse_args()


def main() -> int:
    options = parse()
    machine = describe()
    print(machine)
    with service(options) as pid:
        print(HEADER)
        readings = soak(options, pid)
    growth = 100 * (readings[-1].rss_mb / readings[0].rss_mb - 1)
    print(f"grown by {growth:.1f} % between the first and the last")
    if options.out:
        record = {"machine": machine, "model": options.model or "default", "growth": growth}
        record["readings"] = [vars(one) for one in readings]
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return int(growth > options.within)


if __name__ == "__main__":
    sys.exit(main())
