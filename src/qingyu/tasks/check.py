"""Check 纠错提示: which characters look wrong where they stand, and what would fit better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qingyu.numbers import FloatArray, IntArray
from qingyu.query import Steps
from qingyu.results import Candidate, CheckResult, Suspect
from qingyu.tasks.context import Context
from qingyu.tasks.drive import together
from qingyu.tasks.fill_mask import replaced
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.masking import predicted
from qingyu.tasks.parts.parameters import checked_count, checked_text, wrong

NAME = "check"
THRESHOLD = 8.0
ROUNDS = 4
NEAR = 5  # tokens: as far as one wrong character is taken to spoil what is expected of others
BESIDE = 2  # doubts within that reach that are looked into together
RIVALS = 4  # candidates that are tried in the text
REACH = 2  # tokens on either side that speak for or against a candidate
SIGHT = 24  # tokens on either side that they see


@dataclass(frozen=True)
class Doubt:
    """What the model makes of one place: the log-probability of the token there, the tokens it
    would rather see with theirs, best first, and by how many nats the best fits better in all."""

    place: int
    log_prob: float
    better: tuple[tuple[int, float], ...]
    gain: float = 0.0

    @property
    def margin(self) -> float:
        """By how many nats the best is more probable than what stands there."""
        return self.better[0][1] - self.log_prob if self.better else 0.0


def check(
    context: Context, text: str, *, top_k: int = 5, threshold: float = THRESHOLD
) -> Steps[CheckResult]:
    """Chinese characters that the model finds less probable than another by `threshold` nats.

    A candidate fits by its own probability and by that of the tokens around it once it is in. The
    worst is put right first and its neighbours are judged again, since one wrong character makes
    those beside it look wrong too. Each suspect comes with the `top_k` characters that fit best.
    Nothing is cut: see `score`. Raises InputError and TaskNotSupportedError.
    """
    head = context.head(NAME, heads.masked_lm)
    tokenizer = context.tokenizer
    checked_count(top_k, "top_k", 1, 100)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not threshold > 0:
        raise wrong("threshold", "正数（奈特）", "a positive number of nats", repr(threshold))
    text = checked_text(text)
    tokens = tokenizer.tokens(text)
    ids = list(tokens.ids)
    allowed = tokenizer.chinese_ids
    chinese = set(allowed.tolist())
    places = [i for i, token_id in enumerate(ids) if token_id in chinese]

    found: dict[int, Doubt] = {}
    cleared: set[int] = set()
    for _ in range(ROUNDS):
        doubts = yield from predicted(
            context,
            head,
            ids,
            places,
            lambda place, row: doubt(place, ids[place], row, allowed, max(top_k, RIVALS)),
        )
        grave = clear_of_each_other(
            [one for one in doubts.values() if one.margin >= threshold],
            lambda one: one.margin,
            BESIDE,
        )
        if not grave:
            break
        tried = yield from together([fitting(context, head, ids, one) for one in grave])
        worst = clear_of_each_other(
            [one for one in tried if one.gain >= threshold], lambda one: one.gain
        )
        for one in worst:
            found[one.place] = one
            ids[one.place] = one.better[0][0]
        cleared |= {one.place for one in tried if one.gain < threshold}
        places = [
            place
            for place in doubts
            if place not in found
            and place not in cleared
            and any(abs(place - one.place) <= NEAR for one in grave)
        ]
    suspects = []
    for one in sorted(found.values(), key=lambda one: one.place):
        start, end = tokens.offsets[one.place]
        candidates = []
        for token_id, log_prob in one.better[:top_k]:
            word = tokenizer.surface(token_id)
            filled = replaced(text, [(start, end)], [word])
            candidates.append(Candidate(word, token_id, float(np.exp(log_prob)), filled))
        probability = float(np.exp(one.log_prob))
        suspects.append(Suspect(text[start:end], start, end, probability, tuple(candidates)))
    spans = [(suspect.start, suspect.end) for suspect in suspects]
    best = [suspect.candidates[0].token for suspect in suspects]
    return CheckResult(text, replaced(text, spans, best), tuple(suspects))


def doubt(place: int, token_id: int, row: FloatArray, allowed: IntArray, top_k: int) -> Doubt:
    """Judge one place from its log-probabilities [vocabulary]."""
    scores = row[allowed]
    best = np.argsort(-scores, kind="stable")[: top_k + 1]
    better = [(int(allowed[i]), float(scores[i])) for i in best if allowed[i] != token_id]
    return Doubt(place, float(row[token_id]), tuple(better[:top_k]))


def fitting(context: Context, head: str, ids: Sequence[int], one: Doubt) -> Steps[Doubt]:
    """A doubt with its candidates in the order in which they fit, and its gain.

    Put in, a candidate fits by its own log-probability and the sum of its neighbours'.
    """
    start, end = max(0, one.place - SIGHT), min(len(ids), one.place + SIGHT + 1)
    place = one.place - start
    near = [i for i in range(place - REACH, place + REACH + 1) if 0 <= i < end - start]
    near.remove(place)
    rivals = [(ids[one.place], one.log_prob), *one.better[:RIVALS]]
    before, after = ids[start : one.place], ids[one.place + 1 : end]
    beside = yield from together(
        [_likelihood(context, head, [*before, rival, *after], near) for rival, _ in rivals]
    )
    fits = [own + around for (_, own), around in zip(rivals, beside, strict=True)]
    order = sorted(range(1, len(rivals)), key=lambda i: (-fits[i], i))
    better = (*(rivals[i] for i in order), *one.better[RIVALS:])
    return replace(one, better=better, gain=fits[order[0]] - fits[0] if order else 0.0)


def _likelihood(
    context: Context, head: str, ids: Sequence[int], places: Sequence[int]
) -> Steps[float]:
    """The sum of the log-probabilities of the tokens at some places."""
    found = yield from predicted(
        context, head, ids, places, lambda place, row: float(row[ids[place]])
    )
    return sum(found.values())


def clear_of_each_other(
    doubts: Sequence[Doubt], gravity: Callable[[Doubt], float], together: int = 1
) -> list[Doubt]:
    """The gravest first; of those that stand near each other, no more than so many `together`."""
    chosen: list[Doubt] = []
    for one in sorted(doubts, key=lambda one: (-gravity(one), one.place)):
        if sum(abs(one.place - other.place) <= NEAR for other in chosen) < together:
            chosen.append(one)
    return chosen
