"""Zero-shot classification: one headline by five labels, and many by ten against transformers.

    python -m bench.zero_shot [--headlines FILE] [--count N]
        [--reference PYTHON --checkpoint DIR]

The first figures are of the embedded model: five labels of one headline, by entailment and as a
cloze. For the others, PYTHON is an interpreter that has torch and transformers, and DIR a
checkpoint with an `nli` head in heads.json. Both sides answer the same headlines with the same FP32
weights and threads, chunk by chunk in turns, so that a busy machine is busy for both; neither
remembers an answer. transformers' pipeline runs with batches of 1, its default, and of the size it
is fastest with, found first. Without a file the headlines are those written for this project.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qingyu
from bench.figures import ROOT, describe, milliseconds
from qingyu.build.pipeline import Options, build
from qingyu.machine import available_cpus

FIVE = ["体育", "财经", "科技", "娱乐", "教育"]
TEN = [*FIVE, "健康", "天气", "旅游", "汽车", "军事"]
TEMPLATE = "这段话说的是{}。"
CHUNK = 25
SIZES = (8, 16, 32, 64, 128)  # batches tried for the pipeline
BEST_EVERY = 3  # chunks: the fastest batch answers one in so many, to save time

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
    wall, cpu = time.perf_counter(), time.process_time()
    found = ask(texts, candidate_labels=labels, hypothesis_template=template, batch_size=batch)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    scores = [dict(zip(one["labels"], one["scores"])) for one in found]
    print(json.dumps([wall, cpu, scores]), flush=True)
"""

Scores = dict[str, float]


@dataclass(frozen=True)
class Answer:
    """One chunk answered: seconds, seconds of CPU, and each text's scores by label."""

    wall: float
    cpu: float
    scores: list[Scores]


Ask = Callable[[list[str]], Answer]


def headlines(file: Path | None, count: int) -> list[str]:
    """`count` texts: the first column of a file's lines, or headlines and clauses of this project,
    over again where there are fewer."""
    if file is not None:
        lines = file.read_text("utf-8").splitlines()
    else:
        lines = (Path(__file__).parent / "headlines.tsv").read_text("utf-8").splitlines()
        sentences = (ROOT / "tests/golden/sentences.txt").read_text("utf-8")
        clauses = re.split("[，。！？；：\\n]", sentences)
        lines += [clause for clause in clauses if 8 <= len(clause) <= 30]
    texts = [line.split("\t")[0].strip() for line in lines if not line.startswith("#")]
    found = list(dict.fromkeys(text for text in texts if text))
    if len(found) < count:
        print(f"{len(found)} different headlines, again from the first after them")
    return [found[i % len(found)] for i in range(count)]


def one_headline(texts: list[str]) -> None:
    model = qingyu.load()
    for method in ("entailment", "cloze"):
        seconds = []
        for i, text in enumerate(texts):
            begin = time.perf_counter()
            model.zero_shot(text, FIVE, method=method)
            if i >= 20:  # warm
                seconds.append(time.perf_counter() - begin)
        what = f"one headline, five labels, {model.manifest.precision}, {method}"
        print(f"{what}: {milliseconds(seconds)}", flush=True)
    model.close()


@contextmanager
def transformers(python: str, checkpoint: Path, threads: int) -> Iterator[Callable[[int], Ask]]:
    """The pipeline in an interpreter of its own: for a size of batches, what answers a chunk."""
    command = [python, "-c", REFERENCE, str(checkpoint), str(threads), json.dumps(TEN)]
    with subprocess.Popen(
        [*command, json.dumps(TEMPLATE)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as other:  # fmt: skip
        stdin, stdout = other.stdin, other.stdout
        assert stdin is not None
        assert stdout is not None

        def with_batches_of(size: int) -> Ask:
            def ask(texts: list[str]) -> Answer:
                stdin.write(json.dumps([texts, size]) + "\n")
                stdin.flush()
                if answer := stdout.readline():
                    return Answer(*json.loads(answer))
                raise SystemExit("the reference failed; has it torch, transformers, safetensors?")

            return ask

        yield with_batches_of
        stdin.close()


def ours(model: qingyu.Model, method: Any) -> Ask:
    def ask(texts: list[str]) -> Answer:
        wall, cpu = time.perf_counter(), time.process_time()
        found = model.zero_shot(texts, TEN, hypothesis_template=TEMPLATE, method=method)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return Answer(wall, cpu, [dict(zip(r.labels, r.scores, strict=True)) for r in found])

    return ask


def against(python: str, checkpoint: Path, texts: list[str]) -> None:
    """Ratios of seconds, chunk by chunk."""
    threads = available_cpus()
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    with (
        tempfile.TemporaryDirectory() as folder,
        transformers(python, checkpoint, threads) as pipeline,
    ):
        options = Options(precision="fp32", measure=False)
        bundle = build(checkpoint, Path(folder) / "fp32", options)
        model = qingyu.load(bundle.path, threads=threads)
        tried = {size: pipeline(size)(chunks[0]).wall for size in (1, *SIZES)}  # 1 warms it
        best = min(SIZES, key=tried.__getitem__)
        peers = {"batches of 1": pipeline(1), f"batches of {best}": pipeline(best)}
        entailment, cloze = ours(model, "entailment"), ours(model, "cloze")
        entailment(chunks[0]), cloze(chunks[0])
        pairs: dict[str, list[tuple[Answer, Answer]]] = {name: [] for name in [*peers, "cloze"]}
        for number, chunk in enumerate(chunks):
            mine = entailment(chunk)
            pairs["cloze"].append((mine, cloze(chunk)))
            for name, ask in peers.items():
                if name == "batches of 1" or number % BEST_EVERY == 0:
                    pairs[name].append((mine, ask(chunk)))
    print(f"{len(texts)} headlines x {len(TEN)} labels, FP32, {threads} threads, by entailment:")
    for name in peers:
        print(f"  {compared(pairs[name])} transformers' pipeline in {name}")
    one_pass = [(quick, mine) for mine, quick in pairs["cloze"]]
    print(f"  cloze, one pass for all labels: {ratio(one_pass)} entailment")


def compared(pairs: list[tuple[Answer, Answer]]) -> str:
    """Ours beside theirs, and how far their answers lie apart."""
    apart, same, count = 0.0, 0, 0
    for mine, other in pairs:
        for a, b in zip(mine.scores, other.scores, strict=True):
            apart = max(apart, *(abs(a[label] - b[label]) for label in TEN))
            same += max(a, key=a.__getitem__) == max(b, key=b.__getitem__)
            count += 1
    alike = f"scores within {apart:.0e}, {same} of {count} best labels the same"
    seconds = sum(mine.wall for mine, _ in pairs), sum(other.wall for _, other in pairs)
    return f"{seconds[0]:.1f} s against {seconds[1]:.1f} s ({alike}): {ratio(pairs)}"


def ratio(pairs: list[tuple[Answer, Answer]]) -> str:
    """How many times as fast the first of each pair is, over all and chunk by chunk."""
    wall, cpu = (
        sum(getattr(other, clock) for _, other in pairs)
        / sum(getattr(one, clock) for one, _ in pairs)
        for clock in ("wall", "cpu")
    )
    middle = statistics.median(other.wall / one.wall for one, other in pairs)
    return f"{wall:.2f} times as fast (median chunk {middle:.2f}, by CPU time {cpu:.2f}) as"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--headlines", type=Path, help="a file, one a line")
    parser.add_argument("--count", type=int, default=1000, help="headlines against transformers")
    parser.add_argument("--reference", help="an interpreter with torch and transformers")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint with an nli head")
    arguments = parser.parse_args()
    print(describe())
    texts = headlines(arguments.headlines, max(arguments.count, 220))
    one_headline(texts[:220])
    if arguments.reference and arguments.checkpoint:
        against(arguments.reference, arguments.checkpoint, texts[: arguments.count])


if __name__ == "__main__":
    main()
