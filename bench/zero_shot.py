"""Zero-shot classification: one headline by five labels, and many by ten against transformers.

    python bench/zero_shot.py [--reference PYTHON --checkpoint DIR] [--headlines N]

The first figure is of the embedded model. For the second, PYTHON is an interpreter that has torch
and transformers, and DIR a checkpoint with an `nli` head in heads.json. Both sides answer the same
headlines with the same FP32 weights and threads, in turns, so that a busy machine is busy for both.
transformers' pipeline runs with batches of 1, its default, and of 32, each with its own ratio.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import ROOT, describe, milliseconds

import qingyu
from qingyu.build.pipeline import Options, build
from qingyu.engine.threads import available_cpus

FIVE = ["体育", "财经", "科技", "娱乐", "教育"]
TEN = [*FIVE, "健康", "天气", "旅游", "汽车", "军事"]
TEMPLATE = "这段话说的是{}。"
ROUNDS = 5
BATCHES = (1, 32)

# Run by the other interpreter: one line of JSON in, one out.
REFERENCE = """
import json, sys, time
from pathlib import Path
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, pipeline

folder, labels, template = Path(sys.argv[1]), *map(json.loads, sys.argv[3:])
torch.set_num_threads(int(sys.argv[2]))
names = json.loads((folder / "heads.json").read_text())["nli"]["labels"]
config = BertConfig.from_pretrained(folder, num_labels=len(names))
config.id2label, config.label2id = dict(enumerate(names)), {n: i for i, n in enumerate(names)}
weights = {}
for name, tensor in load_file(folder / "model.safetensors").items():
    name = name.replace("heads.nli.pooler.", "bert.pooler.dense.").replace("heads.nli.", "")
    if name.startswith(("bert.", "classifier.")):
        weights[name] = tensor.float()
model = BertForSequenceClassification(config).eval()
model.load_state_dict(weights)
tokenizer = AutoTokenizer.from_pretrained(folder)
ask = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer)
for line in sys.stdin:
    texts, batch = json.loads(line)
    begin = time.perf_counter()
    found = ask(texts, candidate_labels=labels, hypothesis_template=template, batch_size=batch)
    seconds = time.perf_counter() - begin
    print(json.dumps([seconds, [one["labels"][0] for one in found]]), flush=True)
"""


def headlines(count: int) -> list[str]:
    """Clauses of 8 to 30 characters from the sentences of the test suite."""
    text = (ROOT / "tests/golden/sentences.txt").read_text(encoding="utf-8")
    clauses = dict.fromkeys(c for c in re.split("[，。！？；：\\n]", text) if 8 <= len(c) <= 30)
    found = list(clauses)
    return [found[i % len(found)] for i in range(count)]


def one_headline() -> None:
    model = qingyu.load()
    seconds = []
    for i, text in enumerate(headlines(220)):
        begin = time.perf_counter()
        model.zero_shot(text, FIVE)
        if i >= 20:  # warm
            seconds.append(time.perf_counter() - begin)
    print(f"one headline, five labels, {model.manifest.precision}: {milliseconds(seconds)}")


def against(python: str, checkpoint: Path, count: int) -> None:
    """Ratios of seconds, round by round."""
    threads = available_cpus()
    texts = headlines(count)
    parts = [texts[i::ROUNDS] for i in range(ROUNDS)]
    command = [python, "-c", REFERENCE, str(checkpoint), str(threads), json.dumps(TEN)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*command, json.dumps(TEMPLATE)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        ) as other,
    ):  # fmt: skip
        bundle = build(checkpoint, Path(folder) / "fp32", Options(precision="fp32"))
        model = qingyu.load(bundle.path, threads=threads)
        pipeline(other, texts[:4], 1)
        model.zero_shot(texts[:4], TEN)
        ratios: dict[int, list[float]] = {batch: [] for batch in BATCHES}
        for part in parts:
            found = {batch: pipeline(other, part, batch) for batch in BATCHES}
            begin = time.perf_counter()
            results = model.zero_shot(part, TEN, hypothesis_template=TEMPLATE)
            seconds = time.perf_counter() - begin
            for batch, (taken, labels) in found.items():
                ratios[batch].append(taken / seconds)
                same = sum(r.labels[0] == label for r, label in zip(results, labels, strict=True))
                print(
                    f"  {len(part)} headlines: {seconds:.1f} s against {taken:.1f} s in batches of "
                    f"{batch}; {same} same labels"
                )
        for batch, each in ratios.items():
            print(
                f"{count} headlines x {len(TEN)} labels, FP32, against batches of {batch}: "
                f"{statistics.median(each):.2f} times as fast (median of {ROUNDS} rounds, "
                f"{min(each):.2f} to {max(each):.2f})"
            )
        assert other.stdin is not None
        other.stdin.close()


def pipeline(other: subprocess.Popen[str], texts: list[str], batch: int) -> Any:
    """[seconds, best labels] of the other side."""
    assert other.stdin is not None
    assert other.stdout is not None
    other.stdin.write(json.dumps([texts, batch]) + "\n")
    other.stdin.flush()
    answer = other.stdout.readline()
    if not answer:
        raise SystemExit("the reference failed; does it have torch, transformers and safetensors?")
    return json.loads(answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reference", help="an interpreter with torch and transformers")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint with an nli head")
    parser.add_argument("--headlines", type=int, default=1000)
    arguments = parser.parse_args()
    print(describe())
    one_headline()
    if arguments.reference and arguments.checkpoint:
        against(arguments.reference, arguments.checkpoint, arguments.headlines)


if __name__ == "__main__":
    main()
