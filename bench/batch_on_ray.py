"""A batch job plainly and on Ray clusters of this machine, in turns: rates, start-up, ratios.

    python -m bench.batch_on_ray --lines 20000 --rounds 2

Needs Ray (`pip install 'qingyu[ray]'`) and two cores. Four ways, each a command of its own over the
same distinct lines: one process with two threads; a cluster of one node with two CPUs; of two nodes
with one CPU each; of one node with one CPU. Told of each, as medians of the rounds:

    seconds  from the command's start to its end; a cluster is there before
    rate     lines a second between a fifth and nine tenths of the lines, as checkpoints tell
    cpu      milliseconds of CPU time for each of those lines, of all processes there are: what two
             cores have to share, whatever else the machine is doing
    start    seconds less what the lines take at that rate: starting and ending
    cluster  seconds to start the cluster, in none of the above

Outputs must be the same bytes.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.batch import write_lines
from bench.processes import cpu_seconds, family

PLAIN = "plain, 2 threads"
CLUSTERS = {"1 node x 2 CPUs": (2,), "2 nodes x 1 CPU": (1, 1), "1 node x 1 CPU": (1,)}
POLL_SECONDS = 0.02


@contextmanager
def cluster(cpus: tuple[int, ...]) -> Iterator[str]:
    """The address of a cluster with a node for each number of CPUs."""
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # on a busy machine
    os.environ.setdefault("RAY_worker_niceness", "0")  # as nice as the plain run, not 15
    from ray.cluster_utils import Cluster

    made = Cluster()
    try:
        for count in cpus:
            made.add_node(num_cpus=count, include_dashboard=False)
        yield made.address
    finally:
        made.shutdown()


def run(command: list[str], output: Path, lines: int) -> dict[str, float]:
    """Run to the end, looking at the checkpoint meanwhile."""
    output.unlink(missing_ok=True)
    checkpoint = output.with_name(output.name + ".checkpoint")
    began = time.perf_counter()
    process = subprocess.Popen([*command, str(output)], stderr=subprocess.DEVNULL)
    seen = [(0.0, 0, 0.0)]
    while process.poll() is None:
        try:
            rows = json.loads(checkpoint.read_bytes())["rows"]
        except (OSError, ValueError):
            rows = 0
        if rows > seen[-1][1]:
            seen.append((time.perf_counter() - began, rows, cpu_seconds(family(os.getpid()))))
        time.sleep(POLL_SECONDS)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    steady = [one for one in seen if 0.2 * lines <= one[1] <= 0.9 * lines]
    if len(steady) < 2:
        raise SystemExit("too few lines to tell a rate")
    (first, before, idle), (last, after, busy) = steady[0], steady[-1]
    rate = (after - before) / (last - first)
    return {
        "seconds": seconds,
        "rate": rate,
        "cpu": (busy - idle) / (after - before) * 1e3,
        "start": seconds - lines / rate,
        "cluster": 0.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in (PLAIN, *CLUSTERS)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_lines(folder / "in.csv", chosen.lines, chosen.lines, masked=True)
        command = [sys.executable, "-m", "qingyu", "batch", "fill", str(folder / "in.csv")]
        plain = folder / "plain.csv"
        for number in range(chosen.rounds):
            order = list(found) if number % 2 == 0 else list(found)[::-1]
            for way in [PLAIN, *(one for one in order if one != PLAIN)]:
                if way == PLAIN:
                    told = run([*command, "--threads", "2"], plain, chosen.lines)
                else:
                    began = time.perf_counter()
                    with cluster(CLUSTERS[way]) as address:
                        ready = time.perf_counter() - began
                        slots = str(sum(CLUSTERS[way]))
                        output = folder / "ray.csv"
                        more = ["--ray", address, "--slots", slots]
                        told = run([*command, *more], output, chosen.lines)
                    told["cluster"] = ready
                    if not filecmp.cmp(plain, output, shallow=False):
                        raise SystemExit(f"{way}: other bytes than the plain run's")
                found[way].append(told)
                print(way, {k: round(v, 1) for k, v in told.items()}, file=sys.stderr, flush=True)
    best = {
        way: {key: median(one[key] for one in runs) for key in runs[0]}
        for way, runs in found.items()
    }
    for way, one in best.items():
        told = {key: round(value, 2) for key, value in one.items()}
        told["rate_ratio"] = round(one["rate"] / best[PLAIN]["rate"], 3)
        told["cpu_ratio"] = round(one["cpu"] / best[PLAIN]["cpu"], 3)
        told["total_ratio"] = round(best[PLAIN]["seconds"] / one["seconds"], 3)
        print(json.dumps({"way": way, "lines": chosen.lines, **told}))
    two = best["2 nodes x 1 CPU"]["rate"] / best["1 node x 1 CPU"]["rate"]
    print(json.dumps({"two_nodes_over_one": round(two, 2), "load_average": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()
