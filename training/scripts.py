"""Simplified and traditional characters, as the file that `qingyu.text.scripts` reads.

    python -m training.scripts --source corpus/general.txt --out src/qingyu/text/scripts.tsv

The forms are those that OpenCC (Apache-2.0) gives characters by themselves. Where a simplified
character is several traditional ones, the pairs of neighbours that are frequent in the text say
which it is beside what: 发 is 發, but in 头发 it is 髮.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from training.errors import RecipeError, run

TEXT_BYTES = 60 << 20  # of the source, from its start
SEEN = 20  # times that a pair must stand in it
HEADER = """\
# Simplified and traditional characters, made by training/scripts.py with OpenCC (Apache-2.0).
# traditional, simplified
# = simplified, its usual traditional form
# + pair of simplified characters, the pair in traditional ones where that is not the usual
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="simplified text")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    args = parser.parse_args(arguments)
    lines = table(pairs_of(args.source))
    args.out.write_text(HEADER + "\n".join(lines) + "\n", "utf-8")
    print(f"{args.out}: {len(lines)} lines, {args.out.stat().st_size} bytes")


def table(pairs: Iterable[str]) -> list[str]:
    """Lines of the file, by the pairs of simplified characters that are frequent."""
    to_simplified, to_traditional = converters()
    chars = [chr(code) for code in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))]
    plain = {char: to_simplified(char) for char in chars}
    usual = {char: to_traditional(char) for char in chars}
    lines = [f"{old}\t{new}" for old, new in plain.items() if old != new and len(new) == 1]
    several = Counter(new for old, new in plain.items() if old != new)
    lines += [f"=\t{new}\t{usual[new]}" for new in sorted(several) if len(usual.get(new, "")) == 1]
    for pair in sorted(pairs):
        found = to_traditional(pair)
        if len(found) == 2 and found != "".join(usual[char] for char in pair):
            lines.append(f"+\t{pair}\t{found}")
    return lines


def converters() -> tuple[Callable[[str], str], Callable[[str], str]]:
    """From traditional to simplified, and back. Raises RecipeError."""
    try:
        from opencc import OpenCC
    except ModuleNotFoundError as error:
        raise RecipeError("OpenCC is needed: pip install opencc") from error
    return OpenCC("t2s").convert, OpenCC("s2t").convert


def pairs_of(path: Path) -> set[str]:
    """Neighbouring Chinese characters that stand together often enough."""
    counted: Counter[str] = Counter()
    left = TEXT_BYTES
    with path.open(encoding="utf-8") as file:
        for line in file:
            counted.update(map("".join, pairwise(line)))
            left -= len(line) * 3
            if left < 0:
                break
    return {
        pair
        for pair, count in counted.items()
        if count >= SEEN and all("\u4e00" <= char <= "\u9fff" for char in pair)
    }


if __name__ == "__main__":
    run(main)
