"""Labels scored at masks of a template: one pass over a text, however many labels there are.

A label's score is how much more probable the text makes it where it would stand in the template:
log p(label | text, template) - log p(label | template). The template is the cloze pattern of
Schick and Schütze 2021, "Exploiting Cloze Questions for Few Shot Text Classification"; the
difference is the pointwise mutual information of Holtzman et al. 2021, "Surface Form Competition",
without which common words would win whatever the text says.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np

from qingyu.errors import TextTooLongError
from qingyu.numbers import FloatArray, softmax
from qingyu.query import Query
from qingyu.tasks.context import Context
from qingyu.tasks.parts.parameters import wrong
from qingyu.tasks.parts.targets import pieces_of
from qingyu.tasks.parts.turns import turns
from qingyu.tasks.parts.words import ask_words
from qingyu.text.reading import Reading, read


def cloze(
    context: Context,
    head: str,
    text: str,
    described: Mapping[str, str],
    templates: Sequence[str],
    truncate: str,
) -> Generator[list[Query], list[FloatArray], tuple[Reading, FloatArray]]:
    """What was read of a text, and scores [templates, labels] that add up to 1 for each template.

    The text is read with each template after it, once for labels of each length in tokens: all
    their masks are in place, and a label has the product of its tokens' probabilities. Raises
    InputError and TextTooLongError.
    """
    tokenizer = context.tokenizer
    pieces = pieces_of(tokenizer, list(described.values()), "candidate_labels")
    words = [pieces[word] for word in described.values()]
    lengths = sorted({len(ids) for ids in words})
    patterns = [_pattern(context, template) for template in templates]
    longest = lengths[-1] + max(len(before) + len(after) for before, after in patterns)
    if 2 * longest > context.room:
        raise TextTooLongError(longest, context.room // 2)
    reading = read(tokenizer, text, context.room - longest, truncate)

    mask = [tokenizer.mask_id or 0]

    def queries() -> Iterator[Query]:
        for part in ([], *reading.parts()):  # first without the text
            for before, after in patterns:
                start = len(part) + len(before)
                for length in lengths:
                    ids = [*part, *before, *mask * length, *after]
                    yield context.query(ids, range(start, start + length), head)

    shape = (1 + len(reading.spans), len(patterns), len(words))
    scores = np.empty(shape, np.float32)
    by_pass = scores.reshape(-1, len(words))
    number = 0
    for some in turns(queries()):
        for answer in (yield from ask_words(context, some)):
            rows = answer.log_probabilities()
            for place, ids in enumerate(words):
                if len(ids) == len(rows):
                    by_pass[number // len(lengths), place] = rows[range(len(ids)), ids].sum()
            number += 1
    return reading, softmax(reading.mean(scores[1:]) - scores[0])


def _pattern(context: Context, template: str) -> tuple[list[int], list[int]]:
    """Tokens of a template before and after the place of the label. Raises InputError."""
    if template.count("{}") > 1:
        raise wrong(
            "hypothesis_template", "只含一个 {} 的模板", "a template with one {}", repr(template)
        )
    before, after = template.split("{}")
    return context.tokenizer.tokens(before).ids, context.tokenizer.tokens(after).ids
