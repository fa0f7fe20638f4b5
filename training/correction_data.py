"""Sentences for the correction head: half as they are, half with mistakes, in batches of a size.

Group `n` of the batches is a pure function of the seed and `n`, so a resumed run sees what an
unbroken one would have seen.
"""

from __future__ import annotations

import json
import mmap
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from training.mistakes import Marked, Mistakes, aligned

LONGEST = 126  # tokens of a text, special ones left out
GROUP = 16  # batches sorted by length together
QUIET = 0.3  # share of sentences that stay as they are
REAL = 0.3  # share of sentences that people wrote with their mistakes
AS_WRITTEN, PUT_RIGHT = 0.55, 0.08  # shares of those; the others get new mistakes
TRADITIONAL = 0.03  # share of quiet sentences put into traditional characters
ENDS = re.compile(r"(?<=[。！？；!?])")
CLASSICAL = re.compile(r"^《.{1,60}》.{0,12}：|[兮矣哉焉]|^卷")  # never given mistakes


@dataclass(frozen=True)
class Batch:
    """Texts padded to one length: ids int64 [B, L] (0 past the end), wrong float32 [B, L] (1 where
    something is wrong, -1 where nothing is asked), meant int64 [B, L] (-100 where nothing is)."""

    ids: np.ndarray
    wrong: np.ndarray
    meant: np.ndarray


def real_pairs(path: Path, leave_out: set[str] = frozenset()) -> list[tuple[str, str]]:
    """Sentences and their corrections from a file of JSON lines (`text`, `correct`)."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        (row["text"], row["correct"])
        for row in rows
        if len(row["text"]) == len(row["correct"]) and row["correct"] not in leave_out
    ]


class Lines:
    """Lines of a large file drawn at random, by where they stand in it."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def draw(self, rng: np.random.Generator) -> str:
        """A line: the next that begins after a place drawn at random."""
        start = self._bytes.find(b"\n", int(rng.integers(len(self._bytes)))) + 1
        end = self._bytes.find(b"\n", start)
        return self._bytes[start : end if end > 0 else None].decode("utf-8", "ignore").strip()


def pieces(line: str, rng: np.random.Generator) -> str:
    """One to three neighbouring sentences of a line, at most about LONGEST characters."""
    sentences = [one for one in ENDS.split(line) if one]
    if not sentences:
        return ""
    at = int(rng.integers(len(sentences)))
    text = sentences[at]
    for following in sentences[at + 1 : at + 1 + int(rng.choice(3, p=(0.6, 0.25, 0.15)))]:
        if len(text) + len(following) <= LONGEST:
            text += following
    if len(text) > LONGEST:
        clauses = re.split(r"(?<=[，、：,])", text)
        text = clauses[0]
        for clause in clauses[1:]:
            if len(text) + len(clause) > LONGEST:
                break
            text += clause
    return text[:LONGEST].strip()


class Sentences:
    """Draws marked sentences: general text with and without mistakes, and what people wrote."""

    def __init__(
        self,
        general: Sequence[tuple[Path, float]],
        real: Sequence[tuple[str, str]],
        mistakes: Mistakes,
        tokenizer: Tokenizer,
        seed: int = 0,
    ) -> None:
        self._files = [Lines(path) for path, _ in general]
        shares = np.array([share for _, share in general])
        self._shares = shares / shares.sum()
        self._real = real
        self._mistakes = mistakes
        self._tokenizer = tokenizer
        self._seed = seed
        self._frame = [tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]")]

    def draw(self, rng: np.random.Generator) -> Marked:
        """One sentence."""
        if self._real and rng.random() < REAL:
            wrong, right = self._real[int(rng.integers(len(self._real)))]
            chance = rng.random()
            if chance < AS_WRITTEN:
                return aligned(wrong, right)
            quiet = chance < AS_WRITTEN + PUT_RIGHT
            return Marked(right) if quiet else self._mistakes.make(right, rng)
        while True:
            line = self._files[int(rng.choice(len(self._files), p=self._shares))].draw(rng)
            classical = bool(CLASSICAL.search(line))
            text = pieces(line, rng)
            chinese = sum("\u4e00" <= char <= "\u9fff" for char in text)
            if chinese < 4 or chinese < 0.4 * len(text) or (classical and rng.random() < 0.7):
                continue
            if classical or rng.random() < QUIET:
                return Marked(text)
            return self._mistakes.make(text, rng)

    def encoded(self, marked: Marked) -> tuple[list[int], list[float], list[int]]:
        """Ids, what is wrong, and what was meant, of the framed tokens of a text."""
        encoding = self._tokenizer.encode(marked.text, add_special_tokens=False)
        ids = [self._frame[0], *encoding.ids[:LONGEST], self._frame[1]]
        wrong = [-1.0] * len(ids)
        meant = [-100] * len(ids)
        for i, (start, end) in enumerate(encoding.offsets[:LONGEST], 1):
            if end == start + 1:
                wrong[i] = float(start in marked.meant)
                if start in marked.meant:
                    target = self._tokenizer.token_to_id(marked.meant[start])
                    meant[i] = -100 if target is None else target
        return ids, wrong, meant

    def group(self, number: int, tokens: int) -> list[Batch]:
        """About GROUP batches of about so many tokens, in random order."""
        rng = np.random.default_rng([self._seed, number])
        rows: list[tuple[list[int], list[float], list[int]]] = []
        total = 0
        while total < tokens * GROUP:
            rows.append(self.encoded(self.draw(rng)))
            total += len(rows[-1][0])
        rows.sort(key=lambda row: len(row[0]))
        batches = list(batched(rows, tokens))
        return [batches[i] for i in rng.permutation(len(batches))]


def batched(
    rows: Sequence[tuple[list[int], list[float], list[int]]], tokens: int
) -> Iterator[Batch]:
    """Rows in their order, in batches of at most so many tokens once padded."""
    now: list[tuple[list[int], list[float], list[int]]] = []
    for row in rows:
        if now and max(len(row[0]), len(now[-1][0])) * (len(now) + 1) > tokens:
            yield padded(now)
            now = []
        now.append(row)
    if now:
        yield padded(now)


def padded(rows: Sequence[tuple[list[int], list[float], list[int]]]) -> Batch:
    """Rows as arrays of one length."""
    shape = (len(rows), max(len(ids) for ids, _, _ in rows))
    batch = Batch(np.zeros(shape, np.int64), np.full(shape, -1, np.float32), np.full(shape, -100))
    for i, (ids, wrong, meant) in enumerate(rows):
        batch.ids[i, : len(ids)] = ids
        batch.wrong[i, : len(ids)] = wrong
        batch.meant[i, : len(ids)] = meant
    return batch


def counted(paths: Sequence[Path], sample: int = 40 << 20) -> Counter[str]:
    """How often each character stands in the beginning of each file."""
    found: Counter[str] = Counter()
    for path in paths:
        with path.open("rb") as file:
            found.update(file.read(sample).decode("utf-8", "ignore"))
    return found
