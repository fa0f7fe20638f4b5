"""Token classification 序列标注: spans with labels, such as the names in a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qingyu.numbers import FloatArray, log_softmax, softmax
from qingyu.query import Steps
from qingyu.results import Aggregation, Entity, Span, TokenClassificationResult
from qingyu.tasks.context import Context
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.labelling import OUTSIDE, likeliest_path, spans
from qingyu.tasks.parts.names import checked_gazetteer, edged, with_known
from qingyu.tasks.parts.parameters import checked_choice, checked_text, wrong
from qingyu.text import windows
from qingyu.text.tokenizer import Tokenizer, Tokens

NAME = "token-classification"


@dataclass(frozen=True)
class LabelledSpan:
    """A token or a word: its place in the text, the label it was given, and how surely."""

    span: Span
    label: str
    score: float


def token_classification(
    context: Context,
    text: str,
    *,
    aggregation_strategy: Aggregation | None = None,
    ignore_labels: Sequence[str] = (OUTSIDE,),
    head: str | None = None,
    gazetteer: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
) -> Steps[TokenClassificationResult]:
    """Spans of `text` with a label and a score, in the order of the text.

    `aggregation_strategy` as in transformers: "none" gives every labelled token, "simple" joins
    tokens that belong together, "first", "average" and "max" first settle one label a word.
    "viterbi" joins as "simple" does, after giving all tokens together the likeliest labels that
    follow each other as the scheme has it; without a strategy, a head of single characters does
    this, and any other "simple". Labels of `ignore_labels` are left out. A long text is read in
    overlapping windows, and every token is labelled where it has most context, so nothing is cut.
    Spans of a head of single characters begin and end on whole words and never on a symbol.
    `gazetteer` has names of one's own with their labels: where one stands, it is what is found.
    Raises InputError and TaskNotSupportedError.
    """
    name = context.head(NAME, heads.tagger, head)
    info = context.heads[name]
    by_character = info.unit == "character"
    if aggregation_strategy is None:
        aggregation_strategy = "viterbi" if by_character else "simple"
    checked_choice(aggregation_strategy, "aggregation_strategy", Aggregation)
    if isinstance(ignore_labels, str) or not isinstance(ignore_labels, Sequence):
        raise wrong("ignore_labels", "字符串列表", "a list of strings", repr(ignore_labels)[:60])
    known = checked_gazetteer(gazetteer)
    text = checked_text(text)
    tokenizer = context.tokenizer
    plain = context.readable(text)
    tokens = tokenizer.characters(plain) if by_character else tokenizer.tokens(plain)
    if not tokens.ids:
        return TokenClassificationResult(text, ())
    parts = windows.overlapping(len(tokens.ids), context.room)
    cores = windows.cores(parts)
    queries = [
        context.query(tokens.ids[start:end], range(first - start, last - start), name)
        for (start, end), (first, last) in zip(parts, cores, strict=True)
    ]
    logits = np.concatenate((yield queries))

    words = [[i] for i in range(len(tokens.ids))]
    rows = softmax(logits)
    if aggregation_strategy in SETTLE:
        if not by_character:
            words = whole_words(tokenizer, tokens, text)
        settle = SETTLE[aggregation_strategy]
        rows = np.stack([settle(rows[word]) for word in words])
    if aggregation_strategy == "viterbi":
        chosen = likeliest_path(info.labels, log_softmax(logits))
    else:
        chosen = rows.argmax(axis=1).tolist()
    pieces = [
        LabelledSpan(
            (tokens.offsets[word[0]][0], tokens.offsets[word[-1]][1]), info.labels[i], row[i]
        )
        for word, row, i in zip(words, rows.tolist(), chosen, strict=True)
    ]
    labels = [piece.label for piece in pieces]
    if aggregation_strategy == "none":
        groups = [(i, i + 1, label) for i, label in enumerate(labels)]
    else:
        groups = spans(labels)
    entities = []
    for first, past, label in groups:
        if label not in ignore_labels:
            start, end = pieces[first].span[0], pieces[past - 1].span[1]
            score = float(np.mean([piece.score for piece in pieces[first:past]]))
            entities.append(Entity(label, text[start:end], start, end, score))
    if by_character and aggregation_strategy != "none":
        entities = edged(text, entities)
    if known:
        entities = with_known(text, entities, known)
    return TokenClassificationResult(text, tuple(entities), converted=plain != text)


# How a word's rows [tokens, labels] become one.
SETTLE: dict[str, Callable[[FloatArray], FloatArray]] = {
    "first": lambda rows: rows[0],
    "average": lambda rows: np.asarray(rows.mean(axis=0), np.float32),
    "max": lambda rows: rows[rows.max(axis=1).argmax()],
}


def whole_words(tokenizer: Tokenizer, tokens: Tokens, text: str) -> list[list[int]]:
    """Indices of the tokens of each word; an unknown token is a word of its own.

    In a WordPiece vocabulary a piece of a word is spelt longer than it stands in the text, by the
    mark of its continuation. In any other a token that follows no space belongs to the word before.
    """
    words: list[list[int]] = []
    for i, (token_id, (start, end)) in enumerate(zip(tokens.ids, tokens.offsets, strict=True)):
        if token_id == tokenizer.unk_id:
            follows = False
        elif tokenizer.marks_continuations:
            follows = len(tokenizer.id_to_token(token_id)) != end - start
        else:
            follows = start > 0 and " " not in text[start - 1 : start + 1]
        if words and follows:
            words[-1].append(i)
        else:
            words.append([i])
    return words
