"""A list of phrases, each repeated by how familiar it is: what people quote is learnt before what
only dictionaries keep.

    python -m training.familiar --lines idioms.txt --text general.txt --out idioms.familiar.txt

How familiar a line is, is how often the least seen of its phrases (runs of three hanzi or more)
turns up in the texts; it is written that many times to the power of `--power`, lines seen fewer
than `--least` times not at all. Needs numpy only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from training.errors import RecipeError, run
from training.sources import refuse_held_out
from training.templates import PHRASE

BLOCK_BYTES = 8 << 20
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd; hashes are polynomials in it, modulo 2^64


def hashes(codes: np.ndarray, length: int) -> np.ndarray:
    """Hash of every window of `length` codes: uint64 [n] to uint64 [n - length + 1]."""
    found = np.zeros(max(0, len(codes) - length + 1), dtype=np.uint64)
    for at in range(length):
        found = found * BASE + codes[at : at + len(found)]
    return found


def code_points(text: str) -> np.ndarray:
    """The characters as uint64 [n]."""
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)


def blocks(path: Path) -> Iterator[str]:
    """The text of a file in pieces that end at line ends."""
    with path.open(encoding="utf-8", errors="replace") as file:
        while lines := file.readlines(BLOCK_BYTES):
            yield "".join(lines)


def count(phrases: Iterable[str], texts: Iterable[str]) -> dict[str, int]:
    """How often each phrase stands in the texts, within longer words too."""
    by_length: dict[int, list[str]] = {}
    for phrase in sorted(set(phrases)):
        by_length.setdefault(len(phrase), []).append(phrase)
    sought = {}
    for length, group in by_length.items():
        keys = hashes(code_points("".join(group)), length)[::length]
        order = np.argsort(keys)
        sought[length] = (keys[order], [group[i] for i in order], np.zeros(len(group), np.int64))
    for text in texts:
        codes = code_points(text)
        for length, (keys, _, seen) in sought.items():
            windows = hashes(codes, length)
            at = np.minimum(np.searchsorted(keys, windows), len(keys) - 1)
            seen += np.bincount(at[keys[at] == windows], minlength=len(keys))
    return {
        phrase: int(n)
        for _, group, seen in sought.values()
        for phrase, n in zip(group, seen, strict=True)
    }


def repeated(
    lines: Sequence[str], counts: dict[str, int], power: float, least: int, most: int
) -> Iterator[tuple[str, int]]:
    """Each different line that is familiar enough, and how many times to write it."""
    for line in dict.fromkeys(lines):
        seen = min((counts[phrase] for phrase in PHRASE.findall(line)), default=0)
        if seen >= max(1, least):
            yield line, min(most, max(1, round(seen**power)))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Repeat lines by how familiar they are.")
    parser.add_argument("--lines", required=True, type=Path, help="the list, one line an entry")
    parser.add_argument(
        "--text", required=True, type=Path, action="append",
        help="where to count; may be repeated",
    )  # fmt: skip
    parser.add_argument("--out", required=True, type=Path, help="the list to write")
    parser.add_argument("--power", type=float, default=0.5, help="of the count (%(default)s)")
    parser.add_argument("--least", type=int, default=3, help="fewer and it is left out")
    parser.add_argument("--most", type=int, default=20, help="times a line is written")
    args = parser.parse_args(argv)
    for path in (args.lines, *args.text):
        refuse_held_out(path)
    lines = args.lines.read_text(encoding="utf-8").splitlines()
    phrases = [phrase for line in lines for phrase in PHRASE.findall(line)]
    if not phrases:
        raise RecipeError(f"{args.lines}: no run of three hanzi in it, nothing to count")
    counts = count(phrases, (block for path in args.text for block in blocks(path)))
    written = list(repeated(lines, counts, args.power, args.least, args.most))
    # A line's copies do not stand together, so that no chunk of the file is one phrase.
    copies = [line for line, times in written for _ in range(times)]
    np.random.default_rng(0).shuffle(copies)
    partial = args.out.with_name(f"{args.out.name}.part")
    partial.write_text("".join(f"{line}\n" for line in copies), encoding="utf-8")
    partial.replace(args.out)
    print(f"{args.out}: {len(written):,} of {len(lines):,} lines, {len(copies):,} with repeats")


if __name__ == "__main__":
    run(main)
