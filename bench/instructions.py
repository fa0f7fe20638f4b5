"""Instructions one answer takes, counted by valgrind: a check of speed that load cannot disturb.

    make instructions                       against bench/instructions.json; fails above TOLERANCE
    .venv/bin/python bench/instructions.py --write     a new baseline, after a change meant to be

One thread, the model inside the package. Processes that answer some texts once and some more often
are counted, and the difference divided: loading and start-up fall out. Valgrind's processor has
AVX2 and neither AVX-512 nor AMX, so ONNX Runtime takes its AVX2 kernels whatever the machine: what
is compared is the graph and everything around it, not a machine. A waiting thread spins for a while
that is its own, which is why there is one thread and no pool.
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
MORE = 3  # answers counted
TEXTS = {
    "16 tokens": "今天天气真[MASK]啊，适合出去玩。",
    "128 tokens": "这家餐厅的菜很好[MASK]，" + ("我们下次还会再来，朋友们也都喜欢。" * 7)[:116],
}
ANSWERS = """
import sys, qingyu
model = qingyu.load(threads=1)
texts = sys.argv[1::2]
for text, times in zip(texts, sys.argv[2::2]):
    for _ in range(int(times)):
        model.fill_mask(text, top_k=5)
"""
TOTAL = re.compile(r"Collected : (\d+)")


def count(times: dict[str, int]) -> int:
    """Instructions of a process that answers each of TEXTS so many times."""
    given = [word for name, text in TEXTS.items() for word in (text, str(times[name]))]
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [
                *VALGRIND,
                f"--callgrind-out-file={folder}/out",
                sys.executable,
                "-c",
                ANSWERS,
                *given,
            ],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    found = TOTAL.search(run.stderr)
    if run.returncode or not found:
        raise SystemExit(f"valgrind failed:\n{run.stderr[-2000:]}")
    return int(found[1])


def measure() -> dict[str, int]:
    """Instructions of one more answer to each text."""
    once = dict.fromkeys(TEXTS, 1)
    base = count(once)
    return {name: (count(once | {name: 1 + MORE}) - base) // MORE for name in TEXTS}


def versions() -> dict[str, str]:
    """What the count depends on besides this project."""
    valgrind = subprocess.check_output(["valgrind", "--version"], text=True).strip()
    named = {name: version(name) for name in ("numpy", "onnxruntime", "tokenizers")}
    return {"valgrind": valgrind, "python": sys.version.split()[0], **named}


def compare(found: dict[str, int], baseline: dict[str, int]) -> list[str]:
    """A line for each text that takes more instructions than the baseline allows."""
    return [
        f"{name}: {found[name]:,} instructions, {found[name] / count - 1:+.1%} of {count:,}"
        for name, count in baseline.items()
        if found[name] > count * (1 + TOLERANCE)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="instructions an answer takes, by valgrind")
    parser.add_argument("--write", action="store_true", help="make this the baseline")
    options = parser.parse_args()
    found = measure()
    for name, instructions in found.items():
        print(f"{name}: {instructions:,} instructions an answer")
    if options.write:
        record = {"versions": versions(), "instructions": found}
        BASELINE.write_text(json.dumps(record, indent=1) + "\n")
        return
    baseline = json.loads(BASELINE.read_text())
    if baseline["versions"] != versions():
        print(f"the baseline was made with {baseline['versions']}, this is {versions()}")
    if worse := compare(found, baseline["instructions"]):
        raise SystemExit("\n".join(worse))
    print(f"within {TOLERANCE:.0%} of the baseline")


if __name__ == "__main__":
    main()
