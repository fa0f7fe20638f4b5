"""Many clients against one service on this machine: throughput, latency, CPU, memory, errors.

    make load
    .venv/bin/python -m bench.load --model BUNDLE --length 16 --out out/load
    .venv/bin/python -m bench.load --url http://127.0.0.1:5000 --path /predict --pid 1234

Without --url a service is started, with its cache off so that every request is computed, and ended
afterwards. Client processes run on the same cores. Users ask again as soon as they are answered;
one that is refused (429) waits as Retry-After says, give or take half.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.figures import describe
from bench.load_client import Plan, Tally, run
from bench.load_plot import plot
from bench.processes import cpu_seconds, family, resident_megabytes
from bench.sentences import corpus
from bench.serving import qingyu_serving

LEVELS = (1, 4, 8, 16, 64, 256)


@dataclass(frozen=True)
class Row:
    """One number of users. Latencies are of answers with 200, in ms; `cpu` is of the service, in
    per cent of one core; `rss_mb` after the run."""

    users: int
    per_second: float
    p50: float
    p95: float
    p99: float
    answered: int
    refused: int
    errors: dict[str, int]
    cpu: float
    client_cpu: float
    rss_mb: float


def measure(options: argparse.Namespace, users: int, pids: list[int]) -> Row:
    """Drive `users` for the seconds asked for, after a warm-up."""
    url = urlsplit(options.url)
    processes = min(options.processes, users)
    start = time.monotonic() + 0.6
    warm_until = start + options.warm_up
    end = warm_until + options.seconds
    text = corpus()
    plans = [
        Plan(
            url.hostname or "127.0.0.1",
            url.port or 80,
            options.path,
            users // processes + (number < users % processes),
            start,
            warm_until,
            end,
            options.length,
            text,
            users * 100 + number,
            options.hammer,
            options.key,
        )
        for number in range(processes)
    ]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pending = pool.map_async(run, plans)
        time.sleep(max(0.0, warm_until - time.monotonic()))
        before, spent = cpu_seconds(pids), time.monotonic()
        own = os.times()
        time.sleep(max(0.0, end - time.monotonic()))
        used, spent = cpu_seconds(pids) - before, time.monotonic() - spent
        tallies = pending.get(timeout=120)
        pool.close()
        pool.join()
    after = os.times()
    client = after.children_user + after.children_system - own.children_user - own.children_system
    return summed(
        users, tallies, options.seconds, used / spent, client / spent, resident_megabytes(*pids)
    )


def summed(
    users: int, tallies: list[Tally], seconds: float, cpu: float, client: float, rss: float
) -> Row:
    times = sorted(second for tally in tallies for second in tally.seconds)
    errors: dict[str, int] = {}
    for tally in tallies:
        for name, count in tally.errors.items():
            errors[name] = errors.get(name, 0) + count

    def percentile(share: float) -> float:
        return times[min(len(times) - 1, int(len(times) * share))] * 1e3 if times else float("nan")

    return Row(
        users,
        len(times) / seconds,
        percentile(0.5),
        percentile(0.95),
        percentile(0.99),
        len(times),
        sum(tally.refused for tally in tallies),
        errors,
        100 * cpu,
        100 * client,
        rss,
    )


@contextmanager
def service(options: argparse.Namespace) -> Iterator[int]:
    """The process to measure: one of our own, or the one named by --pid."""
    if options.url:
        yield options.pid or os.getpid()
        return
    flags = ["--cache", options.cache] if options.cache else []
    flags += ["--log-level", "warning", *(["--model", options.model] if options.model else [])]
    with qingyu_serving(*flags, *options.serve) as (pid, port):
        options.url = f"http://127.0.0.1:{port}"
        yield pid


HEADER = (
    f"{'users':>6}{'req/s':>9}{'P50 ms':>9}{'P95 ms':>9}{'P99 ms':>9}"
    f"{'429':>8}{'errors':>8}{'CPU %':>8}{'client':>8}{'RSS MB':>8}"
)


def line(row: Row) -> str:
    return (
        f"{row.users:>6}{row.per_second:>9.1f}{row.p50:>9.1f}{row.p95:>9.1f}{row.p99:>9.1f}"
        f"{row.refused:>8}{sum(row.errors.values()):>8}{row.cpu:>8.0f}{row.client_cpu:>8.0f}"
        f"{row.rss_mb:>8.0f}" + (f"  {row.errors}" if row.errors else "")
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--model", default="", help="bundle to serve; default: the one inside")
    parser.add_argument("--url", default="", help="a service that runs already")
    parser.add_argument("--pid", type=int, default=0, help="its process, for CPU and memory")
    parser.add_argument("--path", default="/v1/fill-mask")
    parser.add_argument("--key", default="", help="API key to send")
    parser.add_argument("--users", type=int, nargs="+", default=LEVELS)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=2.0)
    parser.add_argument("--length", type=int, help="tokens of every text; default: a mixture")
    parser.add_argument("--processes", type=int, default=2, help="client processes")
    parser.add_argument("--hammer", action="store_true", help="ask again at once when refused")
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.svg")
    parser.add_argument("serve", nargs="*", help="after --: flags for qingyu serve")
    parser.set_defaults(cache="0")
    return parser.parse_args()


def main() -> None:
    options = parse()
    machine = describe()
    print(machine)
    with service(options) as pid:
        print(HEADER)
        rows = []
        for users in options.users:
            rows.append(measure(options, users, family(pid)))
            print(line(rows[-1]), flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        record = {"machine": machine, "length": options.length, "rows": [asdict(r) for r in rows]}
        options.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        options.out.with_suffix(".svg").write_text(plot(rows), "utf-8")


if __name__ == "__main__":
    main()
