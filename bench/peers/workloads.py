"""What every peer is given: texts of the workloads, cut from lines of real text."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOST = 510  # tokens of a text besides [CLS] and [SEP]
LEAST = 6
JUDGED = 200  # texts whose answers are compared
JUDGED_LENGTH = 126


@dataclass(frozen=True)
class Workload:
    """Batches of `batch` texts of `length` tokens each (0: as they come), `batches` of them."""

    name: str
    length: int
    batch: int
    batches: int


WORKLOADS = [
    Workload("1x8", 8, 1, 4),
    Workload("1x16", 16, 1, 4),
    Workload("1x32", 32, 1, 4),
    Workload("1x128", 128, 1, 2),
    Workload("1x512", 512, 1, 1),
    Workload("8x32", 32, 8, 1),
    Workload("8x128", 128, 8, 1),
    Workload("mixed x16", 0, 16, 1),
]


def read_lines(path: Path) -> list[str]:
    """Lines of a text file (or .xz), Chinese characters and two marks alone: one token each."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return ["".join(filter(plain, line)) for line in file]


def plain(letter: str) -> bool:
    return "\u4e00" <= letter <= "\u9fff" or letter in "，。"


def texts_for(workload: Workload, lines: list[str], masks: bool = True) -> list[str]:
    """Texts of exactly `length` tokens with [CLS] and [SEP], one of them `[MASK]` if asked."""
    count = workload.batch * workload.batches
    return cut(lines, workload.length, count, workload.length, masks)


def tokens(text: str) -> int:
    """Tokens of a text made here, with [CLS] and [SEP]."""
    return len(text.replace("[MASK]", "_")) + 2


def judged(lines: list[str], masks: bool = True) -> list[str]:
    """Texts for comparing answers, other places and lines than those that are timed."""
    lines = [line[:JUDGED_LENGTH] for line in lines]
    return cut(lines, 0, JUDGED, 1, masks)


def cut(lines: list[str], length: int, count: int, seed: int, masks: bool) -> list[str]:
    draw = np.random.default_rng(seed)
    chosen: list[str] = []
    for index in draw.permutation(len(lines)):
        text = lines[index]
        if length:
            text = (text * (length // max(len(text), 1) + 1))[: length - 2]
        text = text[:MOST]
        if len(text) < LEAST and not length:
            continue
        place = int(draw.integers(max(len(text), 1)))
        chosen.append(f"{text[:place]}[MASK]{text[place + 1 :]}" if masks else text)
        if len(chosen) == count:
            break
    return chosen
