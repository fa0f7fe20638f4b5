"""Build a BERT-base-shaped checkpoint (random, made on the spot) and say what it costs.

    python bench/build_cost.py [--precisions int8 int4 ...] [--build OPTION ...]

Seconds and peak memory of `qingyu build`, verification included, over all its processes; the
bundle's size; and what `qingyu serve` keeps resident after answering.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from figures import describe, resident_megabytes

QINGYU = [sys.executable, "-m", "qingyu"]
BASE = {
    "architectures": ["BertForMaskedLM"],
    "model_type": "bert",
    "vocab_size": 21128,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}


def shapes() -> dict[str, tuple[int, ...]]:
    """The tensors of google-bert/bert-base-chinese, less its pooler."""
    hidden, wide, words = BASE["hidden_size"], BASE["intermediate_size"], BASE["vocab_size"]
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
    for index in range(BASE["num_hidden_layers"]):
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
    words += [f"##{i}" for i in range(BASE["vocab_size"] - len(words))]
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


def tree_megabytes(pid: int) -> float:
    """Proportional set size of a process and its children, in MB: shared pages count once."""
    total = 0.0
    for one in (pid, *children(pid)):
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text("ascii")
        except OSError:
            continue
        total += sum(int(kb) for kb in re.findall(r"^Pss:\s+(\d+)", text, re.M)) * 1024 / 1e6
    return total


def children(pid: int) -> list[int]:
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in task.read_text("ascii").split():
                found += [int(child), *children(int(child))]
    except OSError:  # it has just ended
        pass
    return found


def build(source: Path, out: Path, precision: str, options: list[str]) -> tuple[str, str]:
    """Seconds, seconds of CPU and peak memory, and what the command printed."""
    command = [*QINGYU, "build", str(source), "-o", str(out), "--precision", precision]
    start, used = time.perf_counter(), cpu_seconds()
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as running:
        peak = 0.0
        while running.poll() is None:
            peak = max(peak, tree_megabytes(running.pid))
            time.sleep(0.02)
        printed = running.stdout.read() if running.stdout else ""
    if running.returncode:
        sys.exit(running.returncode)
    seconds, used = time.perf_counter() - start, cpu_seconds() - used
    return f"{seconds:.1f} s ({used:.1f} s of CPU), peak {peak:.0f} MB", printed


def cpu_seconds() -> float:
    """Spent by all processes that this one has waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def serving_megabytes(bundle: Path) -> float:
    """Resident memory of `qingyu serve` after some answers."""
    command = [*QINGYU, "serve", "--port", "0", "--model", str(bundle)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            base = address(running)
            for length in (8, 30, 120):
                body = json.dumps({"text": "天" * length + "[MASK]"}).encode()
                request = urllib.request.Request(  # noqa: S310 our own server
                    f"{base}/v1/fill-mask", body, {"Content-Type": "application/json"}
                )
                urllib.request.urlopen(request, timeout=60).read()  # noqa: S310
            return resident_megabytes(running.pid)
        finally:
            running.terminate()


def address(running: subprocess.Popen[str]) -> str:
    assert running.stderr is not None
    for line in running.stderr:
        found = re.search(r"http://[\d.]+:\d+", line)
        if found:
            return found.group()
    raise SystemExit("the service did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precisions", nargs="+", default=["int8"])
    parser.add_argument("--build", nargs="*", default=[], help="more options of qingyu build")
    arguments = parser.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "bert-base"
        write_checkpoint(source)
        for precision in arguments.precisions:
            out = Path(folder) / precision
            options = ["--min-agreement", "0", *arguments.build]
            cost, printed = build(source, out, precision, options)
            size = sum(file.stat().st_size for file in out.iterdir()) / 1e6
            print(
                f"\n{precision} {' '.join(arguments.build)}: {cost}, "
                f"bundle {size:.1f} MB, serving {serving_megabytes(out):.0f} MB resident\n{printed}"
            )


if __name__ == "__main__":
    main()
