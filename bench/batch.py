"""`qingyu batch` over many short lines: rate, memory, and three kills that change nothing.

    python -m bench.batch --lines 60000 --distinct 6000
    python -m bench.batch --lines 2000 --distinct 500 --cell 262144   # half a gigabyte, unpacked

The file is written twice: once undisturbed, once by a process killed with SIGKILL at three random
moments and started again each time. Both outputs must be the same bytes. Memory is the highest
resident set of any of these processes (VmHWM). Lines repeat, as lines of real files do; the rate is
told for lines and for distinct texts, which is what is computed. With `--cell` each line has a
further column of so many bytes, and files are gzip.
"""

from __future__ import annotations

import argparse
import filecmp
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import sentences
from qingyu.machine import peak_bytes

TASKS = {"fill": [], "zero-shot": ["-l", "天气,出行,购物"]}
POLL_SECONDS = 0.05


def write_lines(path: Path, lines: int, distinct: int, masked: bool, cell: int = 0) -> None:
    chance = random.Random(0)
    pool = sentences.distinct(distinct, chance, masked=masked)
    chosen = pool + [chance.choice(pool) for _ in range(lines - distinct)]
    chance.shuffle(chosen)
    kept = chance.randbytes(cell // 4).hex() * 2
    with gzip.open(path, "wt", 1, "utf-8") if cell else path.open("w", encoding="utf-8") as file:
        file.write("id,text,note\n" if cell else "id,text\n")
        rest = f",{kept}" if cell else ""
        file.writelines(f"{number},{text}{rest}\n" for number, text in enumerate(chosen))


def run(command: list[str], kill_after: float | None = None) -> tuple[float, int, bool]:
    """(seconds, highest memory, whether it ended by itself)."""
    began = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    memory = 0
    while process.poll() is None:
        memory = max(memory, peak_bytes(process.pid))
        if kill_after is not None and time.monotonic() - began > kill_after:
            process.send_signal(signal.SIGKILL)
            process.wait()
            break
        time.sleep(POLL_SECONDS)
    if process.returncode not in {0, -signal.SIGKILL}:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return time.monotonic() - began, memory, process.returncode == 0


def measure(task: str, lines: int, distinct: int, cell: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        ending = "csv.gz" if cell else "csv"
        source, whole, killed = (
            Path(name) / f"{one}.{ending}" for one in ("in", "whole", "killed")
        )
        write_lines(source, lines, distinct, masked=task == "fill", cell=cell)
        command = [sys.executable, "-m", "qingyu", "batch", task, str(source)]
        seconds, memory, _ = run([*command, str(whole), *TASKS[task]])
        chance = random.Random(1)
        kills = 0
        while kills < 3:
            kill_after = chance.uniform(0.1, 0.3) * seconds
            _, more, ended = run([*command, str(killed), *TASKS[task]], kill_after)
            memory = max(memory, more)
            if ended:
                break
            kills += 1
        if not killed.exists():
            _, more, _ = run([*command, str(killed), *TASKS[task]])
            memory = max(memory, more)
        return {
            "task": task,
            "lines": lines,
            "distinct": distinct,
            "unpacked_mb": round(lines * cell / 1e6),
            "seconds": round(seconds, 1),
            "lines_per_second": round(lines / seconds),
            "computed_per_second": round(distinct / seconds),
            "memory_mb": round(memory / 1e6),
            "kills": kills,
            "identical": filecmp.cmp(whole, killed, shallow=False),
            "load_average": os.getloadavg()[0],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--distinct", type=int, default=200_000)
    parser.add_argument("--cell", type=int, default=0, help="bytes of a further column")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    chosen = parser.parse_args()
    for task in chosen.tasks:
        print(json.dumps(measure(task, chosen.lines, chosen.distinct, chosen.cell)), flush=True)


if __name__ == "__main__":
    main()
