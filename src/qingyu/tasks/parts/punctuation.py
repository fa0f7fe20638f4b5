"""Punctuation of Chinese text: half width beside Chinese, doubled, quotes and brackets unpaired.

Rules of GB/T 15834-2011 that a program can decide; nothing here asks a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from qingyu.results import Candidate, Suspect

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
FULL = str.maketrans(",;:?!()", "，；：？！（）")
# Half-width marks beside Chinese; a stop may end a number, a name of a file or an abbreviation.
HALF = re.compile(rf"(?<=[{HAN}”’》）])[,;:?!](?![\d/])|(?<=[{HAN}])\.(?=\s*$|[{HAN}\n])")
TWICE = re.compile(r"([，、；：])[，、；：]+|。([，、；：])|([，、；：])。|(?<!。)。。(?!。)")
BRACKETED = re.compile(rf"\(([^()]*[{HAN}][^()]*)\)")
PAIRS = {"“": "”", "‘": "’", "「": "」", "『": "』", "（": "）", "《": "》", "【": "】"}
CONFIDENCE = 0.9


def check(text: str) -> list[Suspect]:
    """Suspects with the reason 标点, in order; none that has no candidate is ever `changed`."""
    found = [
        *(_suspect(text, match, match.group().translate(FULL).replace(".", "。"))
          for match in HALF.finditer(text)),
        *(_suspect(text, match, match.group()[:1]) for match in TWICE.finditer(text)),
        *(_suspect(text, match, f"（{match.group(1)}）") for match in BRACKETED.finditer(text)),
        *_unpaired(text),
    ]  # fmt: skip
    return _apart(sorted(found, key=lambda one: (one.start, -one.end)))


def _suspect(text: str, match: re.Match[str], better: str) -> Suspect:
    start, end = match.span()
    sequence = text[max(0, start - 10) : start] + better + text[end : end + 10]
    candidates = (Candidate(better, None, CONFIDENCE, sequence),)
    return Suspect(match.group(), start, end, 1 - CONFIDENCE, candidates, "标点", CONFIDENCE)


def _unpaired(text: str) -> Iterator[Suspect]:
    """Quotes and brackets that are not closed, or closed without having been opened.

    Paragraph by paragraph; one left open to its end is allowed to go on in the next when that
    begins with the same mark, as quotations of several paragraphs do.
    """
    closing = {close: mark for mark, close in PAIRS.items()}
    start = 0
    lines = text.split("\n")
    for number, line in enumerate(lines):
        opened: list[tuple[str, int]] = []
        for i, char in enumerate(line, start):
            if char in PAIRS:
                opened.append((char, i))
            elif char in closing:
                if opened and opened[-1][0] == closing[char]:
                    opened.pop()
                elif not opened:
                    yield _lonely(char, i)
        after = next((later for later in lines[number + 1 :] if later.strip()), "")
        for mark, i in opened:
            if not after.lstrip().startswith(mark):
                yield _lonely(mark, i)
        start += len(line) + 1


def _lonely(mark: str, at: int) -> Suspect:
    """A mark without its partner; where that belongs only the writer knows."""
    return Suspect(mark, at, at + 1, 1 - CONFIDENCE, (), "标点", CONFIDENCE, changed=False)


def _apart(suspects: list[Suspect]) -> list[Suspect]:
    """The suspects that do not overlap one before."""
    kept: list[Suspect] = []
    for one in suspects:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept
