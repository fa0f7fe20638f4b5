"""Every measurement of docs/performance.md, one after another; then the page.

    make peers CHECKPOINT=... TEXTS=...
    python -m bench.peers.everything CHECKPOINT --texts LINES [--rounds 5] [--only default ...]

CHECKPOINT is the default model's; the other shapes are made by shapes.py. On a quiet machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from bench.peers.environments import ROOT, python
from bench.peers.shapes import SHAPES

HERE = Path(__file__).parent
RESULTS = ROOT / "bench" / "results"
MADE = ROOT / ".cache" / "shapes"
DEFAULT, LARGE = "default", "bert-base"
LIMITS = (DEFAULT, LARGE)  # whose encoders are profiled and held against the machine's limit


def steps(checkpoint: Path, texts: Path, rounds: int, only: list[str]) -> list[list[str]]:
    """Scripts and their arguments, in order."""
    found = [["environments.py"], ["shapes.py", str(MADE)]]
    for name in [DEFAULT, *SHAPES]:
        if only and name not in only:
            continue
        path = str(checkpoint if name == DEFAULT else MADE / name)
        given = ["--rounds", str(rounds), "--name", name]
        compared = ["compare.py", path, "--texts", str(texts), *given]
        found.append([*compared, "--out", str(RESULTS / f"peers-{name}.json")])
        if name == DEFAULT:
            out = RESULTS / f"embed-{name}.json"
            found.append([*compared, "--task", "embed", "--out", str(out)])
        if name in LIMITS:
            out = RESULTS / f"roofline-{name}.json"
            found.append(["roofline.py", path, *given, "--out", str(out)])
            out = RESULTS / f"profile-{name}.json"
            found.append(["profile_graph.py", path, "--name", name, "--out", str(out)])
    return [*found, ["report.py", str(RESULTS)]]


def interpreter(script: str) -> Path:
    """Shapes are written where safetensors is; the rest runs where this does."""
    return python("make_onnx") if script == "shapes.py" else Path(sys.executable)


def main() -> None:
    parser = argparse.ArgumentParser(description="every measurement, then docs/performance.md")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--texts", type=Path, default=ROOT / "tests/golden/sentences.txt")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=[DEFAULT, *SHAPES], default=[])
    options = parser.parse_args()
    for script, *given in steps(
        options.checkpoint.resolve(), options.texts.resolve(), options.rounds, options.only
    ):
        print(f"--- {script} {' '.join(given)}", flush=True)
        begin = time.perf_counter()
        module = f"bench.peers.{Path(script).stem}"
        subprocess.run([interpreter(script), "-m", module, *given], check=True, cwd=ROOT)
        print(f"--- {(time.perf_counter() - begin) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
