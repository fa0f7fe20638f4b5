"""Sentence similarity 句子相似: do two texts mean the same, and which of many comes closest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qingyu.bundle import HeadInfo
from qingyu.numbers import FloatArray
from qingyu.query import Query, Steps
from qingyu.results import LongPair, Ranked, RankResult, SimilarityResult
from qingyu.tasks.classification import probabilities
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
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
    scores = probabilities(info, answers[0][0])
    return SimilarityResult(
        text,
        text_pair,
        info.labels[int(scores.argmax())],
        _same(info, scores),
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
    plain = context.readable(text)
    others = [context.readable(other) for other in texts]
    query = context.tokenizer.tokens(plain)
    cut: list[bool] = []

    def queries() -> Iterator[Query]:
        for other in others:
            tokens = query, context.tokenizer.tokens(other)
            a, b = fitted((plain, other), tokens, context.pair_room, truncate)
            cut.append(bool(a.unread or b.unread))
            yield context.whole(a.parts()[0], name, b.parts()[0])

    scores: list[float] = []
    for some in turns(queries()):
        scores += [_same(info, probabilities(info, logits[0])) for logits in (yield some)]
    order = sorted(range(len(texts)), key=lambda i: (-scores[i], i))[:top_k]
    ranked = tuple(Ranked(i, texts[i], scores[i], cut[i]) for i in order)
    return RankResult(text, ranked, any(cut), converted=[plain, *others] != [text, *texts])


def _same(head: HeadInfo, scores: FloatArray) -> float:
    """The score of the label that says “the same”."""
    index = heads.labelled(head, heads.SAME)
    return float(scores[min(1, len(scores) - 1) if index is None else index])
