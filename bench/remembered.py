"""What memories of phrases do to answers: of a glossary, of nonsense, and the model's own.

    python -m bench.remembered HELD_OUT_TEXT [--lines 2000] [--model BUNDLE] [--json FILE]

A document about made-up products is counted, and a blank of each name asked for; the same memory
must leave other text as it was. A memory of the held-out text itself with its characters shuffled
is nonsense about all that text is made of, and must not make it worse. Held-out lines have one
character masked each.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import qingyu
from qingyu.bundle import DEFAULT
from qingyu.model import Model
from qingyu.phrases.build import build
from qingyu.phrases.spool import Spool
from qingyu.phrases.write import write

FIRST = "灵青玄朔澜岚霁曜翎棠蔚凛笙璟弈榕峤沅芷溟"
SECOND = "犀萝鲸隼桐鸢鹭樨珀岫砚舟杉澈瑶麓篁汀蘅埙"
LAST = "枢坞塬穹梭篆鉴壤楫圃檐潮栈阙畴铎澍砧匣盏"
SENTENCES = (
    "请在安装{}之前关闭电源。",
    "新版{}可以离线使用三天。",
    "客服说{}的保修期是两年。",
    "如果{}没有响应，请重新启动。",
    "上个月我们给仓库换了{}。",
    "打开{}，在设置里选择语言。",
    "他把{}的说明书放在抽屉里。",
    "升级以后，{}比以前快了一倍。",
    "每个办公室都有一台{}。",
    "{}和打印机不能同时工作。",
)
SEEDS = 1
BATCH = 64


@dataclass(frozen=True)
class Blank:
    """A text with one [MASK], and the character that stood there."""

    text: str
    answer: str


def made_up_names(count: int) -> list[str]:
    """Names of three characters that nobody has heard of, all different."""
    everything = [a + b + c for a in FIRST for b in SECOND for c in LAST]
    return random.Random(SEEDS).sample(everything, count)


def document(names: Sequence[str]) -> list[str]:
    """Two sentences about each."""
    count = len(SENTENCES)
    return [
        SENTENCES[(number + turn * (1 + number // count % (count - 1))) % count].format(name)
        for number, name in enumerate(names)
        for turn in range(2)
    ]


def blanks_of_names(names: Sequence[str], sentences: Sequence[str]) -> list[Blank]:
    """The first sentence about each name, a character of the name masked."""
    rng = random.Random(SEEDS)
    found = []
    for name in names:
        text = next(one for one in sentences if name in one)
        at = text.index(name) + rng.randrange(len(name))
        found.append(blank(text, at))
    return found


def blanks_of_lines(lines: Sequence[str]) -> list[Blank]:
    """Each line of some length, a Chinese character masked."""
    rng = random.Random(SEEDS)
    found = []
    for line in lines:
        places = [at for at, char in enumerate(line) if "\u4e00" <= char <= "\u9fff"]
        if len(places) > 4:
            found.append(blank(line, rng.choice(places)))
    return found


def blank(text: str, at: int) -> Blank:
    return Blank(f"{text[:at]}[MASK]{text[at + 1 :]}", text[at])


def shuffled(lines: Sequence[str]) -> list[str]:
    """All characters of the lines in any order, in lines as long."""
    chars = list("".join(lines))
    random.Random(SEEDS).shuffle(chars)
    there = iter(chars)
    return ["".join(next(there) for _ in line) for line in lines]


def taught(model: Model, texts: Sequence[str], path: Path) -> Model:
    """The model with a memory of texts, written to a path, beside its own."""
    with Spool(model.tokenizer) as spool:
        spool.add(texts)
        write(path, build(spool), model.tokenizer)
    return model.with_phrases(path)


def share_right(model: Model, blanks: Sequence[Blank]) -> float:
    """How often the masked character comes first."""
    right = 0
    for first in range(0, len(blanks), BATCH):
        part = blanks[first : first + BATCH]
        results = model.fill_mask([one.text for one in part], top_k=1)
        for one, result in zip(part, results, strict=True):
            right += result.masks[0].candidates[0].token == one.answer
    return right / len(blanks)


def measured(model: Model, lines: Sequence[str], folder: Path) -> dict[str, float]:
    """All figures, as shares."""
    names = made_up_names(200)
    sentences = document(names)
    asked, others = blanks_of_names(names, sentences), blanks_of_lines(lines)
    of_names = taught(model, sentences, folder / "names.phrases")
    nonsense = taught(model, shuffled(lines), folder / "nonsense.phrases")
    return {
        "names, untaught": share_right(model, asked),
        "names, taught": share_right(of_names, asked),
        "held-out lines, no memory": share_right(model.with_phrases(own=False), others),
        "held-out lines": share_right(model, others),
        "held-out lines, names taught": share_right(of_names, others),
        "held-out lines, nonsense taught": share_right(nonsense, others),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What memories of phrases do to answers.")
    parser.add_argument("text", type=Path, help="held-out text, a line each")
    parser.add_argument("--lines", type=int, default=2000, help="lines of it (%(default)s)")
    parser.add_argument("--model", default=DEFAULT, help="a bundle (the default model)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args()
    lines = [line for line in args.text.read_text("utf-8").splitlines() if line.strip()]
    lines = lines[:: max(1, len(lines) // args.lines)][: args.lines]
    with tempfile.TemporaryDirectory() as folder:
        found = measured(qingyu.load(args.model), lines, Path(folder))
    for name, value in found.items():
        print(f"{name:<36} {value:.4f}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
