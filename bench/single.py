"""One short sentence after another: in the model, over HTTP on loopback, and from a cold start.

    make bench

Sentences differ from each other, so no cache answers in the model's place. Figures are printed,
never asserted. RSS is read from /proc, so it needs Linux.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import qingyu
from bench import sentences
from bench.figures import describe, milliseconds
from bench.processes import resident_megabytes
from bench.serving import qingyu_serving

ROUNDS = 500
WARM_UP = 50
MIXED = 1000
COLD_STARTS = 7


def timed(call: Callable[[str], object], texts: Iterator[str], rounds: int) -> list[float]:
    """Seconds each call took."""
    seconds = []
    for text in itertools.islice(texts, rounds):
        begin = time.perf_counter()
        call(text)
        seconds.append(time.perf_counter() - begin)
    return seconds


@contextmanager
def service() -> Iterator[tuple[int, http.client.HTTPConnection]]:
    """A service of its own on a free port, ready: its process id and a connection to it."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with qingyu_serving(**quiet) as (pid, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            yield pid, connection
        finally:
            connection.close()


def ask(connection: http.client.HTTPConnection, text: str) -> None:
    body = json.dumps({"text": text}).encode()
    connection.request("POST", "/v1/fill-mask", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {answer.decode()}")


def cold_start() -> float:
    """Seconds from starting a process to its first answer on the command line."""
    command = [sys.executable, "-m", "qingyu", "fill", "--json", next(sentences.short())]
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
    return time.perf_counter() - begin


def main() -> None:
    print(describe())
    texts = sentences.short()
    model = qingyu.load()
    timed(model.fill_mask, texts, WARM_UP)
    print("in the model   ", milliseconds(timed(model.fill_mask, texts, ROUNDS)))
    model.close()

    with service() as (pid, connection):
        texts = sentences.short()
        timed(lambda text: ask(connection, text), texts, WARM_UP)
        seconds = timed(lambda text: ask(connection, text), texts, ROUNDS)
        print("over HTTP      ", milliseconds(seconds))
        print(f"service RSS     {resident_megabytes(pid):.0f} MB, then ", end="")
        timed(lambda text: ask(connection, text), sentences.mixed(), MIXED)
        print(f"{resident_megabytes(pid):.0f} MB after {MIXED} mixed requests")

    starts = [cold_start() for _ in range(COLD_STARTS)]
    print(f"cold start      median {statistics.median(starts):.2f} s, worst {max(starts):.2f} s")


if __name__ == "__main__":
    main()
