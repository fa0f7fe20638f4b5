"""One peer in a process of its own: reads a JSON command a line, answers a JSON line.

    python worker.py ENGINE VARIANT TASK MADE CHECKPOINT THREADS

{"texts": [...], "batch": n, "seconds": s} -> {"each": s, "cpu": s, "calls": n}   s a text
{"texts": [...], "batch": n}               -> {"answers": [...]}
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

TASKS = {"fill-mask": "load", "embed": "load_embed"}
FIRST = "今天天气真[MASK]啊。"
SLOW = 0.5  # seconds; a call this long needs no other to warm up, and no third to be trusted
LEAST = 3  # calls that are not slow


def timed(
    call: Callable[[list[str]], Any], batches: list[list[str]], seconds: float
) -> dict[str, float]:
    """Call over the batches in turn for about `seconds`: the median call, a text."""
    begin = time.perf_counter()
    cpu = time.process_time()
    call(batches[0])
    first = time.perf_counter() - begin
    times = [first] if first > SLOW else []
    if not times:
        begin, cpu = time.perf_counter(), time.process_time()
    while len(times) < LEAST or time.perf_counter() - begin < seconds:
        if times and sum(times) > max(seconds, SLOW):
            break
        batch = batches[len(times) % len(batches)]
        start = time.perf_counter()
        call(batch)
        times.append(time.perf_counter() - start)
    used = time.process_time() - cpu
    size = len(batches[0])
    return {
        "each": median(times) / size,
        "cpu": used / len(times) / size,
        "calls": len(times),
    }


def answer(call: Callable[[list[str]], Any], command: dict[str, Any]) -> dict[str, Any]:
    texts, size = command["texts"], command["batch"]
    batches = [texts[first : first + size] for first in range(0, len(texts), size)]
    try:
        if "seconds" in command:
            return timed(call, batches, command["seconds"])
        found = [one for batch in batches for one in call(batch)]
        return {"answers": [one if isinstance(one, list) else one.tolist() for one in found]}
    except Exception as error:  # noqa: BLE001 - whatever a library raises is told by name
        return {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"}


def main() -> None:
    engine, variant, task, made, checkpoint, threads = sys.argv[1:]
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is not an answer

    def tell(found: dict[str, Any]) -> None:
        os.write(out, (json.dumps(found) + "\n").encode())

    try:
        module = importlib.import_module(f"engines.{engine}")
        if not hasattr(module, TASKS[task]):
            raise NotImplementedError(f"{engine} has no {task}")
        load = getattr(module, TASKS[task])
        call = load(Path(made), Path(checkpoint), variant, int(threads))
        call([FIRST])
    except Exception as error:  # noqa: BLE001 - as above
        traceback.print_exc()
        text = str(error).strip().splitlines() or [""]
        tell({"error": f"{type(error).__name__}: {text[0]}"})
        return
    tell({"ready": True})
    for line in sys.stdin:
        tell(answer(call, json.loads(line)))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
