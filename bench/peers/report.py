"""Write docs/performance.md from results of compare.py: python report.py bench/results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

OUT = Path(__file__).parents[2] / "docs" / "performance.md"
OURS = "qingyu:int8"

HEAD = """# Performance, side by side

Written by `make bench-report` from the files in `bench/results/`; made by `bench/peers/compare.py`,
whose README tells the method: the same checkpoint, texts, threads and machine for all, text in to
five best tokens out, one process a peer, interleaved. A ratio is a peer's time over Qingyu INT8's
in the same round: the median, and the least and the most over the rounds.
"""


def ratios(results: dict[str, Any], peer: str, workload: str) -> list[float]:
    ours = results["peers"][OURS]["seconds"][workload]
    theirs = results["peers"][peer]["seconds"][workload]
    return [b / a for a, b in zip(ours, theirs, strict=True)]


def section(results: dict[str, Any]) -> str:
    """One checkpoint: a table of times and one of ratios."""
    machine, peers = results["machine"], results["peers"]
    workloads = list(peers[OURS]["seconds"])
    lines = [
        f"\n## {results['checkpoint']}\n",
        f"{machine['cpu']}, {machine['threads']} threads, Python {machine['python']}, commit "
        f"{results['commit']}, {results['rounds']} rounds. Milliseconds a text:\n",
        "| | "
        + " | ".join(workloads)
        + " | RSS MB | ready s | CPU s / 1,000 texts | same answer |",
        "|---" * (len(workloads) + 5) + "|",
    ]
    for name, found in peers.items():
        times = [f"{median(found['seconds'][one]) * 1000:.2f}" for one in workloads]
        share = "" if found["agreement"] is None else f"{found['agreement']:.1%}"
        cpu = median(found["cpu_seconds"][workloads[-1]]) * 1000
        rest = [f"{found['rss'] / 1e6:.0f}", f"{found['ready_seconds']:.1f}", f"{cpu:.1f}", share]
        lines.append(f"| {name} | " + " | ".join(times + rest) + " |")
    lines += ["\nRatio of times, peer over Qingyu INT8:\n"]
    lines += ["| | " + " | ".join(workloads) + " |", "|---" * (len(workloads) + 1) + "|"]
    for name in peers:
        if name != OURS:
            cells = []
            for one in workloads:
                found = ratios(results, name, one)
                cells.append(f"{median(found):.2f} ({min(found):.2f}-{max(found):.2f})")
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, reason in results["missing"].items():
        lines.append(f"\nMissing: {name}: {reason}")
    return "\n".join(lines) + "\n"


def main() -> None:
    found = [json.loads(path.read_text()) for path in sorted(Path(sys.argv[1]).glob("*.json"))]
    OUT.write_text(HEAD + "".join(section(one) for one in found if OURS in one.get("peers", {})))
    print(OUT)


if __name__ == "__main__":
    main()
