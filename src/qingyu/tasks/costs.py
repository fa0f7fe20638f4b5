"""What each task will cost, from sizes alone: before a text is read, a template filled in or a
query built.

A character of Chinese or English is at most one token, so lengths stand for tokens; the windows in
which the model reads, and how often a task asks about a text, do the rest. Each function takes the
context and then what its task takes, checked or not: what has no size counts as nothing, and the
task itself refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qingyu.query import Cost
from qingyu.text import windows

from .context import Context
from .exercises import exercise as exercises
from .exercises.places import places
from .parts import evidence, heads
from .parts.beam import MAX_TOGETHER, WIDTH, WIDTH_BY_PATTERN
from .parts.blanks import COMMON, MASK, MAX_MASKS
from .parts.findings import PIECE, ROUNDS
from .parts.masking import APART
from .search import MOST, RERANKED
from .text2text import MAX_BEAMS
from .zero_shot import SEPARATORS, TEMPLATE

CHARACTERS = 64  # that are tokenised in the time in which the model reads a token (measured)
ESCAPED = 6  # bytes that a character takes in JSON at most
FIELDS = 200  # bytes of the names and numbers around a text
NUMBER = 24  # bytes of one of many numbers
SPARSE = 8  # characters of a text that is checked, with one mistake among them
TOKEN = 120  # bytes of one of many tokens with its fields


def reading(context: Context, text: Any, *_: Any, **__: Any) -> Cost:
    """The whole text, in overlapping windows, once."""
    return Cost(_read(context, size(text)), _said(text))


def tagging(context: Context, text: Any, *_: Any, **__: Any) -> Cost:
    """A text in windows, with something said of each token."""
    return Cost(_read(context, size(text)), _said(text) + TOKEN * size(text))


def embedding(context: Context, text: Any, *_: Any, **__: Any) -> Cost:
    return Cost(_read(context, size(text)), _said(text) + NUMBER * 4096)


def masking(context: Context, text: Any, *_: Any, **__: Any) -> Cost:
    """Every token masked in turn, those far apart together."""
    length = size(text)
    passes = min(length, APART)
    return Cost(passes * _read(context, length), _said(text) + TOKEN * length)


def checking(context: Context, text: Any, *, top_k: Any = 5, **_: Any) -> Cost:
    """Every round: each piece read as it stands by up to three heads, and each of its tokens
    masked, those far apart together. Beyond that a mistake in SPARSE characters, each with its
    candidates in what was read with it, and asked once for a character that is missing.
    """
    length = size(text)
    piece = max(1, min(length, PIECE, context.room))
    pieces = 1 + 2 * length // piece  # two neighbours are longer than one may be
    passes = 3 + min(piece, evidence.APART)
    suspects = 1 + length // SPARSE
    tokens = ROUNDS * passes * (length + 2 * pieces) + suspects * (piece + 3)
    around = FIELDS + ESCAPED * min(length, context.room)
    said = _said(text) * 2 + suspects * (1 + number(top_k)) * around
    return Cost(tokens + length // CHARACTERS, said)


def exercise(
    context: Context,
    text: Any,
    *,
    kinds: Any = exercises.KINDS,
    blanks: Any = 10,
    words: Any = (),
    **_: Any,
) -> Cost:
    """For each place that is looked at, its surroundings with the word hidden, and once for each
    piece of each word that could stand there."""
    own, length = _words(words), size(text)
    found = places(text, exercises.wanted(_words(kinds), own), own) if length else []
    most = number(blanks) * exercises.PLACES
    longest = max(map(len, own), default=0)
    queries = {"characters": 1, "measures": 1, "conjunctions": 2, "idioms": 4, "words": longest}
    pieces = sorted((queries[one.kind] for one in found), reverse=True)[:most]
    window = min(2 * exercises.AROUND, length) + max(4, longest) + 2
    passes = sum(1 + (1 if each == 1 else (exercises.POOL + 1) * each) for each in pieces)
    tokens = (
        passes * min(window, context.max_tokens) + len(pieces) * sum(map(len, own)) // CHARACTERS
    )
    said = 2 * _said(text) + len(pieces) * (FIELDS + ESCAPED * 6 * max(4, longest))
    return Cost(tokens + length // CHARACTERS, said)


def fill_mask(
    context: Context,
    text: Any,
    *,
    top_k: Any = 5,
    targets: Any = None,
    alternatives: Any = 0,
    lexicon: Any = None,
    mask: Any = MASK,
    **_: Any,
) -> Cost:
    """A pass for all masks that share a window; one for each piece of each target at each mask; and
    where masks are filled together, one a mask for each filling kept while searching."""
    length = size(text)
    masks = _masks(text, mask)
    window = min(length, context.room) + 2
    tokens = min(masks, 1 + length // context.room) * window + length // CHARACTERS
    if targets is not None:
        lengths = [len(word) for word in _words(targets)]
        queries = len(set(lengths)) + sum(lengths) - len(lengths)
        longest = max(lengths, default=0)
        tokens = masks * max(1, queries) * (min(length + longest, context.room) + 2)
        tokens += (sum(lengths) + (1 + masks) * len(lengths)) // CHARACTERS
    if not any(map(heads.masked_lm, context.heads.values())):  # they are written, not filled
        tokens = window + (8 + 8 * masks) * MAX_BEAMS
    together = min(masks, MAX_TOGETHER)
    if alternatives or lexicon is not None:
        by_pattern = lexicon is not None and not isinstance(lexicon, Sequence)
        wide = max(number(alternatives), WIDTH_BY_PATTERN if by_pattern else WIDTH)
        tokens += (1 + (together - 1) * wide) * window
    said = _said(text)
    answers = 1 + masks * number(top_k) + number(alternatives)
    return Cost(tokens, answers * (said + FIELDS))


def zero_shot(
    context: Context,
    text: Any,
    candidate_labels: Any = (),
    *,
    hypothesis_template: Any = TEMPLATE,
    method: Any = "entailment",
    **_: Any,
) -> Cost:
    """A pass for each template with each label in it and each window of the text; as a cloze, for
    each template with each length of a label; or both."""
    labels = [len(word) for word in _labels(candidate_labels)]
    templates = [(len(one), one.count("{}")) for one in _words(hypothesis_template)]
    length = size(text)
    longest = max(labels, default=0)
    filled = max((size + places * longest for size, places in templates), default=0)
    room = max(1, context.pair_room - min(filled, context.pair_room // 2))
    spans = len(windows.overlapping(length, room))
    tokens = length // CHARACTERS
    if method != "entailment":
        passes = len(templates) * len(set(labels))
        tokens += (spans + 1) * passes * (min(length, room) + 3 + filled)
    if method != "cloze":
        passes = len(templates) * len(labels)
        words = sum(size * len(labels) + places * sum(labels) for size, places in templates)
        tokens += spans * (passes * (min(length, room) + 3) + words)
    return Cost(tokens, _said(text) + sum(labels) * ESCAPED + len(labels) * NUMBER)


def pair(context: Context, text: Any, text_pair: Any = "", *_: Any, **__: Any) -> Cost:
    """Two texts read together, as much of them as fits; one alone, in windows."""
    if not text_pair:
        return reading(context, text)
    both = size(text) + size(text_pair)
    tokens = min(both, context.pair_room) + 3 + both // CHARACTERS
    return Cost(tokens, _said(text) + _said(text_pair))


def classifying(
    context: Context, text: Any, text_pair: Any = "", *, head: Any = None, **_: Any
) -> Cost:
    """As a pair; for a head that was taught with its labels' names, a cloze of these too."""
    cost = pair(context, text, text_pair)
    taught = context.taught.get(head) if isinstance(head, str) else None
    if taught is not None and taught.names:
        cost += zero_shot(context, text, taught.names, method="cloze")
    return cost


def searching(
    context: Context, text: Any, index: Any = None, *, top_k: Any = 5, rerank: Any = True, **_: Any
) -> Cost:
    """The text read once, and with each row that is compared with it."""
    rows = context.indexes.get(index) if isinstance(index, str) else None
    if rows is None:
        return reading(context, text)
    most = min(rows.largest, context.pair_room)
    pairs = RERANKED * (min(size(text) + most, context.pair_room) + 3) if rerank else 0
    said = min(number(top_k), MOST) * (2 * rows.largest + FIELDS)
    return Cost(_read(context, size(text)) + pairs, _said(text) + said)


def ranking(context: Context, text: Any, texts: Any = (), **_: Any) -> Cost:
    """The text with each of the others."""
    words = _words(texts)
    sizes = [len(other) for other in words]
    length = size(text)
    tokens = sum(min(length + other, context.pair_room) + 3 for other in sizes)
    tokens += (length + sum(sizes)) // CHARACTERS
    return Cost(tokens, _said(text) + sum(map(_said, words)))


def writing(
    context: Context, text: Any, *, max_new_tokens: Any = 64, num_beams: Any = 1, **_: Any
) -> Cost:
    """The text read once, and what all beams write."""
    written = number(max_new_tokens) * number(num_beams)
    tokens = min(size(text), context.room) + 2 + written + size(text) // CHARACTERS
    return Cost(tokens, _said(text) + number(max_new_tokens) * ESCAPED * 8)


def _read(context: Context, length: int) -> int:
    """Tokens of all windows of a text of so many characters."""
    spans = windows.overlapping(length, context.room)
    return sum(end - start + 2 for start, end in spans) + length // CHARACTERS


def _said(text: Any) -> int:
    return size(text) * ESCAPED + FIELDS


def _masks(text: Any, mask: Any) -> int:
    """How many masks a text may have, from counts of what they are spelt with."""
    if not isinstance(text, str):
        return 0
    low = text.lower()
    count = low.count("mask")
    for one in _words(mask):
        if one in COMMON:
            count += sum(text.count(part) for part in ("__", ")", "）", "□", "▢"))
        elif one:
            count += low.count(one.lower())
    return min(MAX_MASKS, max(1, count))


def _labels(labels: Any) -> list[str]:
    """The words that labels are described with: names, or what stands for them."""
    if isinstance(labels, str):
        return re.split(SEPARATORS, labels)
    if isinstance(labels, Mapping):
        return _words(list(labels.values()))
    if isinstance(labels, Iterable):
        return _words([one[-1] if isinstance(one, tuple) and one else one for one in labels])
    return []


def _words(values: Any) -> list[str]:
    if isinstance(values, str):
        return [values]
    if isinstance(values, Iterable):
        return [one for one in values if isinstance(one, str)]
    return []


def size(text: Any) -> int:
    return len(text) if isinstance(text, str) else 0


def number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
