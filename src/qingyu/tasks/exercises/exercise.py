"""Exercise 出填空题: blanks in a text, with plausible wrong answers beside the right one."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from qingyu.errors import InputError
from qingyu.query import Steps
from qingyu.results import BlankKind, Difficulty, ExerciseItem, ExerciseResult
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.blanks import MASK, find_blanks, spellings
from qingyu.tasks.parts.parameters import (
    checked_choice,
    checked_count,
    checked_strings,
    checked_text,
)
from qingyu.tasks.parts.targets import pieces_of, score_targets
from qingyu.tasks.parts.words import ask_words
from qingyu.text.sentences import sentence_ends

from .places import BlankPlace, known, places

NAME = "exercise"
KINDS: tuple[BlankKind, ...] = ("idioms", "measures", "conjunctions")
MAX_BLANKS = 50
MAX_CHOICES = 6
PLACES = 3  # looked at for each blank that is wanted
POOL = 12  # words whose probability is told exactly, for each blank
AROUND = 40  # characters read on both sides of a blank
# A wrong answer is at most so probable, beside the right one; idioms are judged more strictly,
# since they are spelt in several pieces, each sure once the one before is there.
WRONG = math.log(30)
WRONG_IDIOM = math.log(100)
LEAST = 0.02  # probability below which the model does not know the answer itself, for a character
EASY, HARD = 0.5, 0.15  # probabilities of the answer that bound the difficulties


@dataclass(frozen=True)
class Judged:
    """A blank with its answer's probability and its wrong answers, likeliest first."""

    place: BlankPlace
    answer: str
    probability: float
    wrong: tuple[str, ...]


def exercise(
    context: Context,
    text: str,
    *,
    kinds: Sequence[BlankKind] = KINDS,
    blanks: int = 10,
    choices: int = 4,
    difficulty: Difficulty = "any",
    words: Sequence[str] = (),
) -> Steps[ExerciseResult]:
    """A text with blanks, and for each the answer among `choices` words.

    kinds:      what to blank: "idioms", "measures", "conjunctions" where they stand in the text,
                single "characters" of lines that are idioms or verses, or `words` of one's own
    blanks:     at most so many, one a sentence
    choices:    words to choose from, the answer among them; 1: none are offered
    difficulty: how probable the model finds the answer: "easy" from 0.5, "hard" below 0.15,
                "medium" between, or "any"
    words:      to blank where they stand, and the wrong answers for each other

    A wrong answer is the likeliest word of its kind that is far less probable than the answer and
    means something else. A blank for which there are not enough of them is left out, so there may
    be fewer than asked for, or none. Raises InputError and TaskNotSupportedError.
    """
    head = context.head(NAME, heads.masked_lm)
    checked_count(blanks, "blanks", 1, MAX_BLANKS)
    checked_count(choices, "choices", 1, MAX_CHOICES)
    checked_choice(difficulty, "difficulty", Difficulty)
    own = list(dict.fromkeys(checked_strings(words, "words"))) if words else []
    asked = wanted(_checked_kinds(kinds, own), own)
    text = checked_text(text)
    judged: list[Judged] = []
    taken: set[int] = set()
    looked = 0
    for sentence, place in _in_turn(text, places(text, asked, own)):
        if len(judged) == blanks or looked == PLACES * blanks:
            break
        if sentence in taken:
            continue
        looked += 1
        one = yield from _judged(context, head, text, place, own, choices)
        if one is not None and _fits(one.probability, difficulty):
            judged.append(one)
            taken.add(sentence)
    judged.sort(key=lambda one: one.place.start)
    items = tuple(
        ExerciseItem(
            number,
            one.place.start,
            one.place.end,
            one.place.kind,
            one.answer,
            _shuffled(text, number, [one.answer, *one.wrong]) if choices > 1 else (),
            one.probability,
        )
        for number, one in enumerate(judged, start=1)
    )
    return ExerciseResult(text, _blanked(text, items), items)


def wanted(kinds: Sequence[str], own: Sequence[str]) -> list[BlankKind]:
    """The kinds there are among those asked for; words of one's own are always wanted."""
    asked = {*kinds, *(["words"] if own else [])}
    return [kind for kind in get_args(BlankKind) if kind in asked]


def _checked_kinds(kinds: Sequence[BlankKind], own: Sequence[str]) -> list[str]:
    """Raises InputError for a kind that there is not, and for words that are not given."""
    asked: list[str] = [kinds] if isinstance(kinds, str) else list(kinds)
    for kind in asked:
        checked_choice(kind, "kinds", BlankKind)
    if "words" in asked and not own:
        raise InputError("要挖自己的词，请用 words 给出。", "Give the words to blank in words.")
    return asked


def _in_turn(text: str, found: list[BlankPlace]) -> list[tuple[int, BlankPlace]]:
    """Places with the number of their sentence: one of each sentence, then a second of each, and so
    on; characters of a sentence in an order that has no pattern."""
    ends = sentence_ends(text)
    mixed = sorted(
        found, key=lambda one: _digest(text, one.start) if one.kind == "characters" else b""
    )
    seen: Counter[int] = Counter()
    ranked = []
    for one in mixed:
        sentence = bisect_right(ends, one.start)
        ranked.append((seen[sentence], one.start, sentence, one))
        seen[sentence] += 1
    return [(sentence, one) for _, _, sentence, one in sorted(ranked, key=lambda row: row[:2])]


def _judged(
    context: Context, head: str, text: str, place: BlankPlace, own: list[str], choices: int
) -> Steps[Judged | None]:
    """A blank with its wrong answers; None where there are too few or the answer is a guess."""
    answer = text[place.start : place.end]
    masks = spellings(MASK)  # of the text's own, which are text here
    before = masks.sub("□", text[max(0, place.start - AROUND) : place.start])
    after = masks.sub("□", text[place.end : place.end + AROUND])
    pool = yield from _pool(context, head, before, after, place, answer, own)
    blanks = find_blanks(context, head, before + MASK + after, MASK, "around-mask")
    tokenizer = context.tokenizer
    spelt = [word for word in (answer, *pool) if tokenizer.unk_id not in tokenizer.tokens(word).ids]
    if not spelt or spelt[0] != answer:
        return None
    (scores,) = yield from score_targets(blanks, pieces_of(tokenizer, spelt))
    right = scores[answer].score
    if place.kind != "words" and right < LEAST ** max(1, len(answer) / 2):
        return None  # but words of one's own were asked for
    apart = WRONG_IDIOM if len(answer) > 2 else WRONG
    wrong = [word for word in spelt[1:] if 0 < scores[word].score <= right * math.exp(-apart)]
    wrong.sort(key=lambda word: (-scores[word].score, word))
    if len(wrong) < choices - 1:
        return None
    return Judged(place, answer, right, tuple(wrong[: choices - 1]))


def _pool(
    context: Context,
    head: str,
    before: str,
    after: str,
    place: BlankPlace,
    answer: str,
    own: list[str],
) -> Steps[list[str]]:
    """Words that could stand there: by what the model says of each character with all of the word
    hidden, the likeliest POOL; none that means the same as the answer or is nearly written so."""
    tokenizer = context.tokenizer
    query_text = before + MASK * len(answer) + after
    blanks = find_blanks(context, head, query_text, MASK, "around-mask")
    (words,) = yield from ask_words(context, [blanks.query(list(range(len(answer))), {})])
    rows = words.log_probabilities()
    if place.kind == "characters":
        best = np.argsort(-rows[0], kind="stable")[: 8 * POOL].tolist()
        chinese = set(tokenizer.chinese_ids.tolist())
        likely = [tokenizer.surface(i) for i in best if i in chinese]
        return [word for word in likely if word != answer][: 4 * POOL]
    listed = known(place.kind, own)
    alike = listed.alike.get(answer, frozenset((answer,)))
    scored = []
    for word in listed.words:
        if word in alike or len(set(word) & set(answer)) * 2 >= max(2, len(answer)):
            continue
        ids = [tokenizer.token_to_id(char) for char in word[: len(answer)]]
        score = sum(
            float(row[i]) if i is not None else -20.0 for row, i in zip(rows, ids, strict=False)
        )
        scored.append((-score / len(ids), word))
    return [word for _, word in sorted(scored)[:POOL]]


def _fits(probability: float, difficulty: Difficulty) -> bool:
    level = "easy" if probability >= EASY else "hard" if probability < HARD else "medium"
    return difficulty in ("any", level)


def _digest(*parts: object) -> bytes:
    told = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(told).digest()


def _shuffled(text: str, number: int, words: list[str]) -> tuple[str, ...]:
    """In an order that has no pattern and is always the same."""
    return tuple(sorted(words, key=lambda word: _digest(text, number, word)))


def _blanked(text: str, items: Sequence[ExerciseItem]) -> str:
    """The text with （1）____ for each blank."""
    pieces, last = [], 0
    for one in items:
        pieces += [text[last : one.start], f"（{one.number}）____"]
        last = one.end
    return "".join([*pieces, text[last:]])
