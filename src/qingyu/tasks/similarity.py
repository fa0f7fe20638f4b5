"""Sentence similarity 句子相似: do two texts mean the same, and which of many comes closest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qingyu.bundle import HeadInfo
from qingyu.numbers import FloatArray
from qingyu.query import Query, Steps
from qingyu.results import LongPair, Ranked, RankResult, SimilarityResult
from qingyu.tasks.classification import probabilities
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads, sameness
from qingyu.tasks.parts.parameters import (
    checked_choice,
    checked_count,
    checked_strings,
    checked_text,
)
from qingyu.tasks.parts.turns import turns
from qingyu.text.reading import fitted, read_pair

NAME = "sentence-similarity"
RANKING = "sentence-ranking"


def similarity(
    context: Context,
    text: str,
    text_pair: str,
    *,
    head: str | None = None,
    truncate: LongPair = "end",
) -> Steps[SimilarityResult]:
    """How probable it is that two texts mean the same.

    Texts that do not fit together are cut at the end of the longer ("end") or refused ("error").
    Where the bundle says so of its head, what lies open in the texts is weighed beside it: words,
    numbers, denials, opposites, and names in each other's place (`parts/sameness.py`).
    A head given by name may be any classifier of pairs: of two labels the second is taken to say
    “the same” unless their names tell, and a regression answers its value. Raises InputError,
    TextTooLongError and TaskNotSupportedError.
    """
    name = context.head(NAME, heads.compares, head, named=heads.classifier)
    checked_choice(truncate, "truncate", LongPair)
    text, text_pair = checked_text(text), checked_text(text_pair, "text_pair")
    both = context.readable(text), context.readable(text_pair)
    first, second = read_pair(context.tokenizer, *both, context.pair_room, truncate)
    answers = yield [context.whole(first.parts()[0], name, second.parts()[0])]
    info = context.heads[name]
    label, score = _judged(info, answers[0][0], *both)
    return SimilarityResult(
        text,
        text_pair,
        label,
        score,
        bool(first.unread or second.unread),
        first.unread,
        second.unread,
        converted=both != (text, text_pair),
    )


def ranking(
    context: Context,
    text: str,
    texts: Sequence[str],
    *,
    top_k: int | None = None,
    head: str | None = None,
    truncate: LongPair = "end",
) -> Steps[RankResult]:
    """The `top_k` (all, without it) of `texts` that are most similar to `text`, best first.

    The rest as in `similarity`.
    """
    name = context.head(RANKING, heads.compares, head, named=heads.classifier)
    checked_choice(truncate, "truncate", LongPair)
    text = checked_text(text)
    texts = checked_strings(texts, "texts")
    top_k = len(texts) if top_k is None else checked_count(top_k, "top_k", 1, 1 << 30)
    info = context.heads[name]
    plain, others = context.readable(text), [context.readable(other) for other in texts]
    logits, cut = yield from compared(context, name, plain, others, truncate)
    scores = [
        _judged(info, row, plain, other)[1] for row, other in zip(logits, others, strict=True)
    ]
    order = sorted(range(len(texts)), key=lambda i: (-scores[i], i))[:top_k]
    ranked = tuple(Ranked(i, texts[i], scores[i], cut[i]) for i in order)
    return RankResult(text, ranked, any(cut), converted=[plain, *others] != [text, *texts])


def compared(
    context: Context, head: str, text: str, others: Sequence[str], truncate: LongPair = "end"
) -> Steps[tuple[list[FloatArray], list[bool]]]:
    """The logits of a head for a text beside each of `others`, float32 [labels] each, and whether
    a pair had to be cut. The texts are as the model reads them."""
    query = context.tokenizer.tokens(text)
    cut: list[bool] = []

    def queries() -> Iterator[Query]:
        for other in others:
            tokens = query, context.tokenizer.tokens(other)
            a, b = fitted((text, other), tokens, context.pair_room, truncate)
            cut.append(bool(a.unread or b.unread))
            yield context.whole(a.parts()[0], head, b.parts()[0])

    logits: list[FloatArray] = []
    for some in turns(queries()):
        logits += [answer[0] for answer in (yield some)]
    return logits, cut


def same(head: HeadInfo, logits: FloatArray) -> float:
    """What a head alone says: the score of the label that means “the same”."""
    return float(probabilities(head, logits)[_place(head)])


def _judged(head: HeadInfo, logits: FloatArray, text: str, other: str) -> tuple[str, float]:
    """The label of two texts, and the score of the one that says “the same”."""
    place = _place(head)
    if head.evidence and len(head.labels) == 2:
        chance = sameness.same(text, other, float(logits[place] - logits[1 - place]))
        return head.labels[place if chance > 0.5 else 1 - place], chance
    return head.labels[int(probabilities(head, logits).argmax())], same(head, logits)


def _place(head: HeadInfo) -> int:
    """Of the label that says “the same”: the second, unless their names tell."""
    found = heads.labelled(head, heads.SAME)
    return min(1, len(head.labels) - 1) if found is None else found
