"""What a model's heads say of places in a text where something may be wrong.

With a correction head one pass over the text as it stands tells where to look; without one the
masked language model does, by what it expects of each token in sight of it. Only where there is
doubt is what was meant asked for, and only where an answer could come of it is the place masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qingyu.numbers import FloatArray, log_softmax
from qingyu.query import Query, Steps
from qingyu.results import Span
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.words import ask_words

ROWS_AT_ONCE = 256  # rows as long as the vocabulary that are held together
APART = 32  # tokens between masks of one pass
SIGHT = 24  # tokens on either side that a masked place sees
DOUBTFUL = -2.0  # logit of the detection head from which a place is looked into
EXPECTED = -0.02  # log-probability in sight of itself from which a token is not


@dataclass(frozen=True)
class JudgedPlace:
    """A place that was looked into.

    index:  of the token in the text
    doubt:  logit that something is wrong there, or minus the log-probability of the token there in
            sight of itself
    usual:  the median of the doubts around, of all places that were asked of together: where a
            text is strange throughout, doubt says less
    meant:  float32 [vocabulary], log-probabilities of what was meant, the text in sight as it is
    masked: float32 [vocabulary], log-probabilities of the token there, hidden from the model; None
            while that has not been asked
    """

    index: int
    doubt: float
    usual: float
    meant: FloatArray
    masked: FloatArray | None = None


@dataclass(frozen=True)
class Heads:
    """The heads that proofreading asks, by name; the first two are None without a correction
    head."""

    detection: str | None
    correction: str | None
    words: str

    @classmethod
    def of(cls, context: Context, task: str) -> Heads:
        """Raises TaskNotSupportedError where words cannot be scored."""
        words = context.head(task, heads.masked_lm)
        detects = next((n for n, head in context.heads.items() if heads.detects(head)), None)
        corrects = next((n for n, head in context.heads.items() if heads.corrects(head)), None)
        both = detects is not None and corrects is not None
        return cls(detects if both else None, corrects if both else None, words)

    @property
    def trained(self) -> bool:
        """Whether there is a head trained to correct."""
        return self.correction is not None


def doubtful(
    context: Context,
    asked: Heads,
    ids: Sequence[int],
    piece: Span,
    places: Sequence[int],
    worth: Callable[[JudgedPlace], bool],
) -> Steps[list[JudgedPlace]]:
    """Those of `places` in a piece [start, end) of the tokens where something may be wrong, and
    that are `worth` masking by what is known before."""
    if not places:
        return []
    start, end = piece
    shown = ids[start:end]
    inside = [place - start for place in places]
    if asked.detection and asked.correction:
        (found,) = yield [context.query(shown, inside, asked.detection)]
        doubts = [float(row[0]) for row in found]
        unsure = [i for i, doubt in enumerate(doubts) if doubt > DOUBTFUL]
        if not unsure:
            return []
        (rows,) = yield [context.query(shown, [inside[i] for i in unsure], asked.correction)]
        meant = log_softmax(rows)
    else:
        (rows,) = yield [context.query(shown, inside, asked.words)]
        log_probs = log_softmax(rows)
        own = log_probs[np.arange(len(places)), [ids[place] for place in places]]
        doubts = [-float(one) for one in own]
        unsure = [i for i, one in enumerate(own) if one < EXPECTED]
        meant = log_probs[unsure]
    usual = float(np.median(doubts))
    seen = [
        JudgedPlace(places[i], doubts[i], usual, said)
        for i, said in zip(unsure, meant, strict=True)
    ]
    seen = [place for place in seen if worth(place)]
    masked = yield from hidden(context, asked.words, shown, [one.index - start for one in seen])
    return [replace(place, masked=words) for place, words in zip(seen, masked, strict=True)]


def hidden(
    context: Context, head: str, ids: Sequence[int], places: Sequence[int]
) -> Steps[list[FloatArray]]:
    """Log-probabilities [vocabulary] of the token at each place, masked, in sight of its
    neighbours."""
    mask_id = context.tokenizer.mask_id or 0
    queries: list[Query] = []
    groups = list(apart(places))
    for group in groups:
        first, last = max(0, group[0] - SIGHT), min(len(ids), group[-1] + SIGHT + 1)
        shown = [mask_id if i in group else ids[i] for i in range(first, last)]
        queries.append(context.query(shown, [place - first for place in group], head))
    answers = yield from ask_words(context, queries)
    rows = {
        place: row
        for group, answer in zip(groups, answers, strict=True)
        for place, row in zip(group, answer.log_probabilities(), strict=True)
    }
    return [rows[place] for place in places]


def apart(places: Sequence[int]) -> Iterator[list[int]]:
    """Places in groups, those of a group at least APART from each other."""
    groups: list[list[int]] = []
    for place in places:
        group = next((one for one in groups if place - one[-1] >= APART), None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    yield from groups


def portions(pieces: Iterable[tuple[Span, list[int]]]) -> Iterator[list[tuple[Span, list[int]]]]:
    """Pieces with their places, as many together as ROWS_AT_ONCE rows allow."""
    now: list[tuple[Span, list[int]]] = []
    rows = 0
    for piece in pieces:
        if now and rows + len(piece[1]) > ROWS_AT_ONCE:
            yield now
            now, rows = [], 0
        now.append(piece)
        rows += len(piece[1])
    if now:
        yield now
