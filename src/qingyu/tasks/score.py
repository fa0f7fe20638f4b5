"""Score 句子打分: how probable each token is where it stands, and so the whole text.

The pseudo-log-likelihood of Salazar, Liang, Nguyen and Kirchhoff 2020, "Masked Language Model
Scoring": every token is masked in turn and predicted from all the others.
"""

from __future__ import annotations

import math

from qingyu.errors import EmptyTextError
from qingyu.query import Steps
from qingyu.results import ScoreResult, TokenScore
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.masking import predicted
from qingyu.tasks.parts.parameters import checked_text

NAME = "score"


def score(context: Context, text: str) -> Steps[ScoreResult]:
    """Log-likelihood and perplexity of a text, and the log-probability of each of its tokens.

    A text longer than the model reads is scored in overlapping windows, each token where it has
    most context, so nothing is cut. Raises InputError, EmptyTextError and TaskNotSupportedError.
    """
    head = context.head(NAME, heads.masked_lm)
    text = checked_text(text)
    plain = context.readable(text)
    tokens = context.tokenizer.tokens(plain)
    ids = tokens.ids
    if not ids:
        raise EmptyTextError
    log_probs = yield from predicted(
        context, head, ids, range(len(ids)), lambda place, row: float(row[ids[place]])
    )
    scores = tuple(
        TokenScore(text[start:end], start, end, log_probs[place])
        for place, (start, end) in enumerate(tokens.offsets)
    )
    total = math.fsum(log_probs.values())
    perplexity = math.exp(-total / len(ids))
    return ScoreResult(text, total, perplexity, scores, converted=plain != text)
