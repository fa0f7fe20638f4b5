"""A text as a vector: the mean of the rows that a head gives for it, or several end to end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qingyu.numbers import FloatArray
from qingyu.query import Query, Steps
from qingyu.tasks.context import Context
from qingyu.text.reading import Reading, read

END = ""  # the rows at the encoder's end


def vector(
    context: Context, text: str, views: Sequence[str], truncate: str
) -> Steps[tuple[Reading, FloatArray]]:
    """What was read of a text, and its vector float32 [sum of the views' widths].

    Rows of all tokens count, special ones included; a long text's windows are averaged. Raises
    TextTooLongError.
    """
    reading = read(context.tokenizer, text, context.room, truncate)
    queries = []
    for view in views:
        for part in reading.parts():
            input_ids, token_type_ids = context.tokenizer.framed(part)
            queries.append(Query(input_ids, token_type_ids, np.arange(len(input_ids)), view))
    means = [rows.mean(axis=0) for rows in (yield queries)]
    windows = len(reading.spans)
    parts = [
        reading.mean(np.stack(means[i * windows : (i + 1) * windows])) for i in range(len(views))
    ]
    return reading, np.concatenate([np.empty(0, np.float32), *parts])
