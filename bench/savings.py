"""Zero-shot, saving by saving: memory, speed and agreement of what makes a model cheaper.

    python -m bench.savings CHECKPOINT [--torch PYTHON] [--out FILE] [--texts 32] [--rounds 3]

CHECKPOINT has an `nli` head in heads.json; `bert-base` makes one of BERT-base's shape with random
weights, whose answers tell nothing and are not compared. PYTHON is an interpreter with torch: as
most programs do, it pads each batch of 16 to its longest, in the order in which texts come, and
then sorted by length. Qingyu pads nothing. The last row also cuts texts to CHARACTERS.

Each variant is a process of its own, one at a time: its peak resident set size, and the median of
its rounds over the same texts, of one to eight lines each, by FIVE labels. The share of equal best
labels is against the first variant.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import ROOT
from bench.peers import shapes
from bench.peers.provenance import provenance
from bench.zero_shot import FIVE
from qingyu import bundle
from qingyu.build.pipeline import Options, build
from qingyu.engine.network import Network
from qingyu.machine import available_cpus, forget_peak, peak_bytes
from qingyu.numbers import FloatArray
from qingyu.query import Query
from qingyu.tasks import registry
from qingyu.tasks.context import Context
from qingyu.tasks.drive import complete
from qingyu.text.tokenizer import Tokenizer

CHARACTERS = 128
JOINED = (1, 1, 2, 1, 4, 1, 8, 2)  # lines of a text: most are short, a few are long
PADDED = 16  # texts of a batch that is padded

Run = Callable[[Sequence[Query]], list[FloatArray]]


@dataclass(frozen=True)
class Variant:
    """How texts are answered. `batch`: tokens together; 0 for texts as they come. `characters`:
    what is kept of a text; 0 for all."""

    name: str
    engine: str
    precision: str
    batch: int = 512
    characters: int = 0


VARIANTS = (
    Variant("FP32, padded", "torch", "fp32", 0),
    Variant("FP32, padded, like lengths together", "torch", "fp32"),
    Variant("FP32, no padding", "cpu", "fp32"),
    Variant("INT8, no padding", "cpu", "int8"),
    Variant(f"INT8, no padding, {CHARACTERS} characters", "cpu", "int8", 512, CHARACTERS),
)


def texts(count: int) -> list[str]:
    """So many texts of one to eight lines, always the same."""
    lines = (ROOT / "tests/golden/sentences.txt").read_text("utf-8").splitlines()
    found, at = [], 0
    for index in range(count):
        taken = JOINED[index % len(JOINED)]
        found.append("".join(lines[(at + i) % len(lines)] for i in range(taken)))
        at += taken
    return found


def context_of(manifest: bundle.Manifest) -> Context:
    """What tasks must know of a bundle, without an engine."""
    tokenizer = Tokenizer(manifest.path / bundle.TOKENIZER)
    return Context(manifest.name, tokenizer, manifest.heads, manifest.sizes.max_positions)


def answered(context: Context, asked: Sequence[str], run: Run) -> list[str]:
    """The best label of each text."""
    steps = [registry.ZERO_SHOT.begin(context, text, FIVE) for text in asked]
    return [result.labels[0] for result in complete(steps, run)]


def measured(
    variant: Variant, folder: Path, asked: Sequence[str], rounds: int, threads: int
) -> dict[str, Any]:
    """Seconds of each round, peak memory and answers, of this process."""
    manifest = bundle.read_manifest(folder)
    return timed(variant, manifest, asked, rounds, runner(variant, manifest, threads))


def timed(
    variant: Variant, manifest: bundle.Manifest, asked: Sequence[str], rounds: int, run: Run
) -> dict[str, Any]:
    """The same with what answers queries."""
    context = context_of(manifest)
    kept = [text[: variant.characters or None] for text in asked]
    best = answered(context, kept[:2], run)  # warms up
    seconds = []
    forget_peak()
    for _ in range(rounds):
        begin = time.perf_counter()
        best = answered(context, kept, run)
        seconds.append(time.perf_counter() - begin)
    return {"seconds": seconds, "peak": peak_bytes(), "best": best}


def runner(variant: Variant, manifest: bundle.Manifest, threads: int) -> Run:
    """What answers queries."""
    if variant.engine == "torch":
        from bench.savings_torch import network

        return network(manifest.path.parent / "checkpoint", threads, PADDED, variant.batch > 0)
    loaded = Network(manifest, threads)
    return lambda queries: loaded.run(queries, variant.batch)


def bert_base(out: Path) -> Path:
    """A checkpoint of BERT-base's shape with random weights, and an nli head."""
    from safetensors.numpy import load_file, save_file

    shapes.write("bert-base", out)
    folder = out / "bert-base"
    hidden = shapes.SHAPES["bert-base"]["hidden_size"]
    draw = np.random.default_rng(1)
    weights = load_file(folder / "model.safetensors")
    for name, outputs in (("pooler", hidden), ("classifier", 3)):
        matrix = (draw.standard_normal((outputs, hidden)) * 0.02).astype(np.float32)
        weights[f"heads.nli.{name}.weight"] = matrix
        weights[f"heads.nli.{name}.bias"] = np.zeros(outputs, np.float32)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    labels = ["entailment", "neutral", "contradiction"]
    (folder / "heads.json").write_text(json.dumps({"nli": {"labels": labels, "level": "seq"}}))
    return folder


def prepared(checkpoint: str, folder: Path, precisions: set[str]) -> bool:
    """The checkpoint as folder/checkpoint and its bundles beside it; whether its weights are
    trained."""
    source = bert_base(folder / "made") if checkpoint == "bert-base" else Path(checkpoint)
    shutil.copytree(source, folder / "checkpoint")
    for precision in sorted(precisions):
        options = Options(precision=precision, measure=False, min_agreement=0)
        build(folder / "checkpoint", folder / precision, options)
    return not (source / "random").exists()


def in_a_process(module: str, given: dict[str, Any], python: str) -> dict[str, Any]:
    """What a process of its own makes of `given`."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [python, "-m", module, "--child"], input=json.dumps(given), text=True,
        capture_output=True, env=environment, cwd=ROOT, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{given['variant']['name']} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def child() -> None:
    given = json.load(sys.stdin)
    variant = Variant(**given["variant"])
    rounds, threads = given["rounds"], given["threads"]
    print(json.dumps(measured(variant, Path(given["folder"]), given["texts"], rounds, threads)))


def table(results: Sequence[Any], trained: bool) -> str:
    """A row a variant, in Markdown; speed and agreement are against the first."""
    first = results[0]
    rows = ["| | peak RSS, MB | s a text | speed | same best label |", "|---|---|---|---|---|"]
    for one in results:
        seconds = statistics.median(one["seconds"])
        speed = statistics.median(first["seconds"]) / seconds
        same = np.mean([a == b for a, b in zip(one["best"], first["best"], strict=True)])
        agreement = f"{same:.1%}" if trained else "—"
        each = seconds / len(one["best"])
        memory = one["peak"] / 1e6
        rows.append(f"| {one['name']} | {memory:.0f} | {each:.3f} | {speed:.1f} | {agreement} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", help="a folder, or bert-base")
    parser.add_argument("--torch", help="an interpreter with torch; without it no padded rows")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    threads, asked = available_cpus(), texts(arguments.texts)
    variants = [one for one in VARIANTS if arguments.torch or one.engine != "torch"]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        trained = prepared(arguments.checkpoint, folder, {one.precision for one in variants})
        results = []
        for one in variants:
            python = arguments.torch if one.engine == "torch" else sys.executable
            given: dict[str, Any] = {"variant": asdict(one), "folder": str(folder / one.precision)}
            given |= {"texts": asked, "rounds": arguments.rounds, "threads": threads}
            found = in_a_process("bench.savings", given, python)
            results.append({"name": one.name, **found})
            print(one.name, [round(each, 2) for each in found["seconds"]], flush=True)
    print(table(results, trained))
    if arguments.out:
        told = {"kind": "savings", **provenance(threads), "trained": trained, "labels": len(FIVE)}
        told |= {"checkpoint": Path(arguments.checkpoint).name, "characters": CHARACTERS}
        told |= {"lengths": [len(text) for text in asked], "variants": results}
        arguments.out.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    child() if sys.argv[1:] == ["--child"] else main()
