"""What a head that a user taught says about a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qingyu.numbers import FloatArray
from qingyu.query import Steps
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.cloze import cloze
from qingyu.tasks.parts.views import vector
from qingyu.tasks.zero_shot import TEMPLATE
from qingyu.taught import Taught
from qingyu.text.reading import Reading


def features(
    context: Context, text: str, views: Sequence[str], names: Sequence[str], truncate: str
) -> Steps[tuple[Reading, FloatArray, FloatArray | None]]:
    """What was read of a text, its vector [d], and the log-probabilities [k] that a cloze gives
    labels called `names`; None without names. Raises what reading raises.
    """
    reading, vectors = yield from vector(context, text, views, truncate)
    if not names:
        return reading, vectors, None
    head = context.head("zero-shot-classification", heads.masked_lm)
    described = dict(zip(map(str, range(len(names))), names, strict=True))
    _, scores = yield from cloze(context, head, text, described, [TEMPLATE], truncate)
    return reading, vectors, np.log(scores[0] + 1e-9).astype(np.float32)


def logits(
    context: Context, head: Taught, text: str, truncate: str
) -> Steps[tuple[Reading, FloatArray]]:
    """What was read of a text, and the head's logits float32 [k]."""
    reading, vectors, prior = yield from features(context, text, head.views, head.names, truncate)
    return reading, head.logits(vectors, text, prior)
