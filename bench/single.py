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
from contextlib import closing, contextmanager

from figures import ROOT, describe, milliseconds, resident_megabytes
from serving import free_port, running

import qingyu

ROUNDS = 500
WARM_UP = 50
MIXED = 1000
COLD_STARTS = 7

WHEN = ("今天", "昨天", "明天", "早上", "晚上", "下午", "周末", "春天", "秋天", "冬天")
WHERE = ("山里", "海边", "城里", "南方", "北方", "家乡", "这里", "那里")
WHAT = ("出去玩", "去爬山", "去跑步", "去划船", "放风筝", "洗衣服", "去钓鱼", "去郊游")


def short_sentences() -> Iterator[str]:
    """Endless sentences like 「今天这里天气真[MASK]啊，适合出去玩。」; the first 640 all differ."""
    for what, where, when in itertools.cycle(itertools.product(WHAT, WHERE, WHEN)):
        yield f"{when}{where}天气真[MASK]啊，适合{what}。"


def mixed_sentences() -> Iterator[str]:
    """Lines of 6 to 194 characters with one of them masked, round and round."""
    lines = (ROOT / "tests/golden/sentences.txt").read_text(encoding="utf-8").splitlines()
    for turn in itertools.count():
        for line in lines:
            at = turn % len(line)
            yield f"{line[:at]}[MASK]{line[at + 1 :]}"


def timed(call: Callable[[str], object], sentences: Iterator[str], rounds: int) -> list[float]:
    """Seconds each call took."""
    seconds = []
    for sentence in itertools.islice(sentences, rounds):
        begin = time.perf_counter()
        call(sentence)
        seconds.append(time.perf_counter() - begin)
    return seconds


@contextmanager
def service() -> Iterator[tuple[int, http.client.HTTPConnection]]:
    """A service of its own on a free port, ready: its process id and a connection to it."""
    port = free_port()
    command = [sys.executable, "-m", "qingyu", "serve", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with running(command, lambda: ready(connection), **quiet) as pid, closing(connection):
        yield pid, connection


def ready(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        response.read()
    except OSError:
        connection.close()
        return False
    return response.status == 200


def ask(connection: http.client.HTTPConnection, text: str) -> None:
    body = json.dumps({"text": text}).encode()
    connection.request("POST", "/v1/fill-mask", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {answer.decode()}")


def cold_start() -> float:
    """Seconds from starting a process to its first answer on the command line."""
    command = [sys.executable, "-m", "qingyu", "fill", "--json", next(short_sentences())]
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
    return time.perf_counter() - begin


def main() -> None:
    print(describe())
    sentences = short_sentences()
    model = qingyu.load()
    timed(model.fill_mask, sentences, WARM_UP)
    print("in the model   ", milliseconds(timed(model.fill_mask, sentences, ROUNDS)))
    model.close()

    with service() as (pid, connection):
        sentences = short_sentences()
        timed(lambda text: ask(connection, text), sentences, WARM_UP)
        seconds = timed(lambda text: ask(connection, text), sentences, ROUNDS)
        print("over HTTP      ", milliseconds(seconds))
        print(f"service RSS     {resident_megabytes(pid):.0f} MB, then ", end="")
        timed(lambda text: ask(connection, text), mixed_sentences(), MIXED)
        print(f"{resident_megabytes(pid):.0f} MB after {MIXED} mixed requests")

    starts = [cold_start() for _ in range(COLD_STARTS)]
    print(f"cold start      median {statistics.median(starts):.2f} s, worst {max(starts):.2f} s")


if __name__ == "__main__":
    main()
