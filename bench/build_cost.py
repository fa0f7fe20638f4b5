"""Build a BERT-base-shaped checkpoint (random, made on the spot) and say what it costs.

    python -m bench.build_cost [--only int8 int4 fp16 int4-8000] [--build OPTION ...]

Seconds and peak memory of `qingyu build`, verification included, over all its processes; the
bundle's size; and what `qingyu serve` keeps resident after answering, each beside what it may be.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.figures import describe
from bench.processes import family, proportional_megabytes, resident_megabytes
from bench.serving import qingyu_serving

QINGYU = [sys.executable, "-m", "qingyu"]
VOCABULARY, HIDDEN, WIDE, LAYERS = 21128, 768, 3072, 12
BASE = {
    "architectures": ["BertForMaskedLM"],
    "model_type": "bert",
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 12,
    "intermediate_size": WIDE,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}
WORDS = 8000
POLL = 0.1  # seconds; asking costs the machine time, too


@dataclass(frozen=True)
class Row:
    """One build: options of `qingyu build`, and what it may cost, where a limit is set.

    seconds, peak (MB), bundle (MB), serving (MB): limits; None where there is none
    """

    precision: str
    words: int | None = None
    seconds: int | None = None
    peak: int | None = None
    bundle: int | None = None
    serving: int | None = None


ROWS = {
    "int8": Row("int8", seconds=60, peak=1000, bundle=105, serving=290),
    "int4": Row("int4", bundle=75, serving=230),
    "fp16": Row("fp16", bundle=210),
    f"int4-{WORDS}": Row("int4", words=WORDS, bundle=60, serving=230),
}


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds of a build, and its peak memory in MB."""

    seconds: float
    processors: float
    peak: float


def shapes() -> dict[str, tuple[int, ...]]:
    """The tensors of google-bert/bert-base-chinese, less its pooler."""
    hidden, wide, words = HIDDEN, WIDE, VOCABULARY
    found: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (words, hidden),
        "bert.embeddings.position_embeddings.weight": (512, hidden),
        "bert.embeddings.token_type_embeddings.weight": (2, hidden),
        "cls.predictions.bias": (words,),
    }

    def linear(name: str, outputs: int, inputs: int) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = (outputs, inputs), (outputs,)

    norms = ["bert.embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
    linear("cls.predictions.transform.dense", hidden, hidden)
    for index in range(LAYERS):
        stem = f"bert.encoder.layer.{index}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{stem}.attention.{part}", hidden, hidden)
        linear(f"{stem}.intermediate.dense", wide, hidden)
        linear(f"{stem}.output.dense", hidden, wide)
        norms += [f"{stem}.attention.output.LayerNorm", f"{stem}.output.LayerNorm"]
    for norm in norms:
        found[f"{norm}.weight"] = found[f"{norm}.bias"] = (hidden,)
    return found


def write_checkpoint(folder: Path) -> None:
    """config.json, vocab.txt (characters of the basic plane) and model.safetensors (float32)."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(BASE), "utf-8")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += [chr(0x4E00 + i) for i in range(20_000)]
    words += [f"##{i}" for i in range(VOCABULARY - len(words))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    draw = np.random.default_rng(0)
    header, offset = {}, 0
    for name, shape in shapes().items():
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes().items():
            values = draw.standard_normal(shape, np.float32) * np.float32(0.03)
            file.write((values + ("LayerNorm.weight" in name)).astype("<f4").tobytes())


def build(source: Path, out: Path, options: list[str]) -> Cost:
    """Run `qingyu build` and watch it. What it prints goes through."""
    command = [*QINGYU, "build", str(source), "-o", str(out), *options]
    start, used, peak = time.perf_counter(), cpu_seconds(), 0.0
    with subprocess.Popen(command) as running:
        while running.poll() is None:
            peak = max(peak, proportional_megabytes(family(running.pid)))
            time.sleep(POLL)
    if running.returncode:
        sys.exit(running.returncode)
    return Cost(time.perf_counter() - start, cpu_seconds() - used, peak)


def cpu_seconds() -> float:
    """Spent by all processes that this one has waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def serving_megabytes(bundle: Path) -> float:
    """Resident memory of `qingyu serve` after some answers."""
    with qingyu_serving("--model", str(bundle), stderr=subprocess.DEVNULL) as (pid, port):
        for length in (8, 30, 120):
            body = json.dumps({"text": "天" * length + "[MASK]"}).encode()
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/fill-mask", body, {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=60).read()  # noqa: S310
        return resident_megabytes(pid)


def told(value: float, limit: int | None, digits: int = 0) -> str:
    """A figure, and beside it what it may be."""
    return f"{value:.{digits}f}" + (f" (<= {limit})" if limit else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--build", nargs="*", default=[], help="more options of qingyu build")
    arguments = parser.parse_args()
    table = ["| | build, s | of CPU, s | peak, MB | bundle, MB | serving, MB |", "|---" * 6 + "|"]
    with tempfile.TemporaryDirectory() as folder:
        source, corpus = Path(folder) / "bert-base", Path(folder) / "words.txt"
        write_checkpoint(source)
        corpus.write_text("".join(f"{chr(0x4E00 + i)}\n" for i in range(WORDS)), "utf-8")
        for name in arguments.only:
            row, out = ROWS[name], Path(folder) / name
            options = ["--precision", row.precision, "--min-agreement", "0", *arguments.build]
            if row.words is not None:
                options += ["--words-from", str(corpus), "--words", str(row.words)]
            print(f"\n{name}:", flush=True)
            cost = build(source, out, options)
            size = sum(file.stat().st_size for file in out.iterdir()) / 1e6
            cells = [
                told(cost.seconds, row.seconds, 1),
                f"{cost.processors:.0f}",
                told(cost.peak, row.peak),
                told(size, row.bundle, 1),
                told(serving_megabytes(out), row.serving),
            ]
            table.append(f"| {name} | {' | '.join(cells)} |")
            print(table[-1], flush=True)
    print("", describe(), "", *table, sep="\n")


if __name__ == "__main__":
    main()
