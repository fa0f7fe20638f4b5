"""Instructions one answer takes, counted by valgrind: a check of speed that load cannot disturb.

    make instructions                       against bench/instructions.json; fails above TOLERANCE
    .venv/bin/python -m bench.instructions --write     a new baseline, after a change meant to be

One text, one thread, the model inside the package. A process that answers once and one that answers
more often are counted, and the difference divided: loading and start-up fall out. Valgrind's
processor has AVX2 and neither AVX-512 nor AMX, so ONNX Runtime takes its AVX2 kernels whatever the
machine: what is compared is the graph and everything around it, not a machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

BASELINE = Path(__file__).with_suffix(".json")
TOLERANCE = 0.03
VALGRIND = ["valgrind", "--tool=callgrind"]
MORE = 4  # answers counted
TEXT = "这家餐厅的菜非常好[MASK]，我们下次还会再来，朋友们也都很喜欢它。"  # 32 tokens
ANSWERS = """
import sys, qingyu
model = qingyu.load(threads=1)
for _ in range(int(sys.argv[2])):
    model.fill_mask(sys.argv[1], top_k=5)
"""
TOTAL = re.compile(r"Collected : (\d+)")


def count(times: int) -> int:
    """Instructions of a process that answers TEXT so many times."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*VALGRIND, f"--callgrind-out-file={folder}/out", sys.executable]
        run = subprocess.run(
            [*command, "-c", ANSWERS, TEXT, str(times)],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    found = TOTAL.search(run.stderr)
    if run.returncode or not found:
        raise SystemExit(f"valgrind failed:\n{run.stderr[-2000:]}")
    return int(found[1])


def versions() -> dict[str, str]:
    """What the count depends on besides this project."""
    valgrind = subprocess.check_output(["valgrind", "--version"], text=True).strip()
    named = {name: version(name) for name in ("numpy", "onnxruntime", "tokenizers")}
    return {"valgrind": valgrind, "python": sys.version.split()[0], **named}


def main() -> None:
    parser = argparse.ArgumentParser(description="instructions an answer takes, by valgrind")
    parser.add_argument("--write", action="store_true", help="make this the baseline")
    options = parser.parse_args()
    found = (count(1 + MORE) - count(1)) // MORE
    print(f"{found:,} instructions an answer")
    if options.write:
        record = {"versions": versions(), "instructions": found}
        BASELINE.write_text(json.dumps(record, indent=1) + "\n")
        return
    baseline = json.loads(BASELINE.read_text())
    if baseline["versions"] != versions():
        print(f"the baseline was made with {baseline['versions']}, this is {versions()}")
    change = found / baseline["instructions"] - 1
    print(f"{change:+.2%} of the baseline's {baseline['instructions']:,}")
    if change > TOLERANCE:
        raise SystemExit(f"more than {TOLERANCE:.0%} above the baseline")


if __name__ == "__main__":
    main()
