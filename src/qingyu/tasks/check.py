"""Check 纠错提示: which characters look wrong where they stand, and what would fit better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qingyu.tasks import heads
from qingyu.tasks.checks import checked_count, checked_text, wrong
from qingyu.tasks.context import Context
from qingyu.tasks.fill_mask import replaced
from qingyu.tasks.masking import predicted
from qingyu.types import Candidate, CheckResult, FloatArray, IntArray, Steps, Suspect

NAME = "check"
THRESHOLD = 5.0
ROUNDS = 4
NEAR = 5  # tokens: as far as one wrong character is taken to spoil what is expected of others


@dataclass(frozen=True)
class Doubt:
    """What the model makes of one place: the log-probability of the token there, the tokens it
    would rather see with theirs, best first."""

    place: int
    log_prob: float
    better: tuple[tuple[int, float], ...]

    @property
    def margin(self) -> float:
        """By how many nats the best is more probable than what stands there."""
        return self.better[0][1] - self.log_prob if self.better else 0.0


def check(
    context: Context, text: str, *, top_k: int = 5, threshold: float = THRESHOLD
) -> Steps[CheckResult]:
    """Chinese characters that the model finds less probable than another by `threshold` nats.

    The worst is put right first and its neighbours are judged again, since one wrong character
    makes those beside it look wrong too. Each suspect comes with the `top_k` characters that fit
    best. Nothing is cut: see `score`. Raises InputError and TaskNotSupportedError.
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
    for _ in range(ROUNDS):
        doubts = yield from predicted(
            context,
            head,
            ids,
            places,
            lambda place, row: doubt(place, ids[place], row, allowed, top_k),
        )
        worst = apart([d for d in doubts.values() if d.margin >= threshold])
        if not worst:
            break
        for one in worst:
            found[one.place] = one
            ids[one.place] = one.better[0][0]
        places = [
            place
            for place in doubts
            if place not in found and any(abs(place - one.place) <= NEAR for one in worst)
        ]
    suspects = []
    for one in sorted(found.values(), key=lambda one: one.place):
        start, end = tokens.offsets[one.place]
        candidates = []
        for token_id, log_prob in one.better:
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


def apart(doubts: Sequence[Doubt]) -> list[Doubt]:
    """The gravest, and of the others those that stand clear of any graver one."""
    chosen: list[Doubt] = []
    for one in sorted(doubts, key=lambda one: (-one.margin, one.place)):
        if all(abs(one.place - other.place) > NEAR for other in chosen):
            chosen.append(one)
    return chosen
