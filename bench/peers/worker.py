"""One peer in a process of its own: reads a JSON command a line, answers a JSON line.

    python worker.py ENGINE VARIANT CHECKPOINT THREADS

{"texts": [...], "batch": n, "repeat": k}
-> {"seconds": [...], "cpu": s, "best": [...], "rss": bytes, "peak": bytes}
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Fill = Callable[[list[str]], list[int]]


def resident() -> int:
    """Bytes of memory this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def run(fill: Fill, command: dict[str, Any]) -> dict[str, Any]:
    """Fill all texts in batches of `batch`, `repeat` times; the first time is not counted."""
    texts, size = command["texts"], command["batch"]
    batches = [texts[first : first + size] for first in range(0, len(texts), size)]
    best = [token for batch in batches for token in fill(batch)]
    seconds = []
    cpu = time.process_time()
    for _ in range(command["repeat"]):
        begin = time.perf_counter()
        for batch in batches:
            fill(batch)
        seconds.append(time.perf_counter() - begin)
    return {
        "seconds": seconds,
        "cpu": (time.process_time() - cpu) / command["repeat"],
        "best": best,
        "rss": resident(),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main() -> None:
    engine, variant, checkpoint, threads = sys.argv[1:]
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is not an answer
    before = resident()
    begin = time.perf_counter()
    module = importlib.import_module(f"engines.{engine}")
    fill: Fill = module.load(Path(checkpoint), variant, int(threads))
    fill(["今天天气真[MASK]啊。"])
    ready = {"ready": time.perf_counter() - begin, "empty": before, "rss": resident()}
    os.write(out, (json.dumps(ready) + "\n").encode())
    for line in sys.stdin:
        os.write(out, (json.dumps(run(fill, json.loads(line))) + "\n").encode())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
