"""What the words at masks may be: the one place where a masked language model's logits become
probabilities, and where what its memories have of phrases is mixed in.

A memory gives evidence for tokens: contexts around the mask in which they were seen. Each piece of
it raises its token's log-probability by a weight from the memory's gate,

    w . (1, p_max, max(log p, -14) / 10, m)        w = gate[size of the context, trust]

where p is what the model gives the token among words, p_max what it gives the likeliest of them,
and m what it gives to punctuation in place of a word: how far a memory is believed depends on how
sure the model is of another word, and on whether it finds the token possible at all. Punctuation
stands apart since a memory is silent about it, and since at the end of a text without a full stop
a model is sure of one whatever the word would be.
The weights of one memory's evidence for a token are summed; of several memories the one that
raises it most counts, so that saying a thing twice does not make it truer. All probabilities are
then divided by their sum. It is a log-linear mixture of experts (Hinton 1999, "Products of
Experts") whose second expert is silent about most words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from qingyu.numbers import Doubles, FloatArray, IntArray, log_softmax, softmax
from qingyu.query import Query, Steps
from qingyu.tasks.context import Context
from qingyu.text.phrases import (
    FEATURES,
    Codes,
    Phrases,
    Recalled,
    context_keys,
    marks,
    squeezed,
    symbols,
)

LEAST_LOG_P = -14.0
LOG_P_SCALE = 0.1
LEAST_BOOST, MOST_BOOST = -8.0, 18.0
LEAST_SHARE = 1e-30  # of all words, where a model is sure of a mark
NOTABLE = 0.1  # nats by which a token is raised before it counts as remembered


class Beliefs:
    """What the model holds of the words at some masks, as the gate asks for it.

    totals:   float64 [masks], the log of the sum of all exponentials
    of_words: float64 [masks], that of words alone
    p_max:    float64 [masks], of the likeliest word among words
    marks:    float64 [masks], the probability of punctuation
    """

    def __init__(self, logits: FloatArray, marks: IntArray) -> None:
        """logits: float32 [masks, vocabulary]; marks: the tokens that are punctuation."""
        self.logits = logits
        top = logits.max(axis=1)
        shares = np.exp(logits - top[:, None])
        every = shares.sum(axis=1, dtype=np.float64)
        shares[:, marks] = 0
        words = np.maximum(shares.sum(axis=1, dtype=np.float64), LEAST_SHARE)
        self.totals = top + np.log(every)
        self.of_words = top + np.log(words)
        self.p_max = shares.max(axis=1) / words
        self.marks = 1 - words / every

    def log_p(self, rows: IntArray, tokens: IntArray) -> Doubles:
        """Natural logarithms of the probabilities of tokens at masks, float64 [n]."""
        return np.asarray(self.logits[rows, tokens] - self.totals[rows])

    def features(self, rows: IntArray, tokens: IntArray) -> Doubles:
        """What the gate weighs, float64 [n, FEATURES]."""
        log_p = self.logits[rows, tokens] - self.of_words[rows]
        found = np.ones((len(rows), FEATURES))
        found[:, 1] = self.p_max[rows]
        found[:, 2] = np.maximum(log_p, LEAST_LOG_P) * LOG_P_SCALE
        found[:, 3] = self.marks[rows]
        return found


@dataclass(frozen=True)
class Evidence:
    """What one table of a memory has for the masks of a query, and the gate to weigh it by."""

    found: Recalled
    gate: FloatArray

    @property
    def weights(self) -> FloatArray:
        """What the gate weighs each item's features by, float32 [n, FEATURES]."""
        return self.gate[self.found.sizes - 1, self.found.trusts]


@dataclass(frozen=True, eq=False)
class Words:
    """The words at the masks of one query.

    logits:   float32 [masks, vocabulary]
    evidence: what memories have for these masks
    marks:    the tokens that are punctuation, int64 [n], where there is evidence
    """

    logits: FloatArray
    evidence: tuple[Evidence, ...] = ()
    marks: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def probabilities(self) -> FloatArray:
        """float32 [masks, vocabulary]; each row adds up to 1."""
        rows = softmax(self.logits)
        if self.evidence:
            places, tokens, boosts, sums = self._raised
            rows[places, tokens] *= np.exp(boosts)
            rows /= np.exp(sums)[:, None]
        return rows

    def log_probabilities(self) -> FloatArray:
        """float32 [masks, vocabulary], natural logarithms."""
        rows = log_softmax(self.logits)
        if self.evidence:
            places, tokens, boosts, sums = self._raised
            rows[places, tokens] += boosts
            rows -= sums[:, None]
        return rows

    def remembered(self) -> list[frozenset[int]]:
        """For each mask, the tokens that a memory made likelier."""
        if not self.evidence:
            return [frozenset()] * len(self.logits)
        places, tokens, boosts, sums = self._raised
        raised = boosts > sums[places] + NOTABLE
        return [
            frozenset(tokens[raised & (places == mask)].tolist())
            for mask in range(len(self.logits))
        ]

    @cached_property
    def _raised(self) -> tuple[IntArray, IntArray, Doubles, Doubles]:
        """(mask, token, boost) of every token with evidence, and for each mask the log of the sum
        of all probabilities once they are raised."""
        width, tables = self.logits.shape[1], len(self.evidence)
        beliefs = Beliefs(self.logits, self.marks)
        rows = np.concatenate([one.found.rows for one in self.evidence])
        tokens = np.concatenate([one.found.tokens for one in self.evidence])
        weights = np.concatenate([one.weights for one in self.evidence])
        owner = np.repeat(np.arange(tables), [len(one.found.rows) for one in self.evidence])
        pieces = (weights * beliefs.features(rows, tokens)).sum(axis=1)
        keys = (rows * width + tokens) * tables + owner
        order = np.argsort(keys, kind="stable")
        keys, first = keys[order], beginnings(keys[order])
        each = np.clip(np.add.reduceat(pieces[order], first), LEAST_BOOST, MOST_BOOST)
        joined = keys[first] // tables
        first = beginnings(joined)
        joined, most = joined[first], np.maximum.reduceat(each, first)
        places, tokens = np.divmod(joined, width)
        gained = np.exp(beliefs.log_p(places, tokens)) * np.expm1(most)
        sums = np.log1p(np.bincount(places, gained, len(self.logits)))
        return places, tokens, most, sums


def ask_words(context: Context, queries: Sequence[Query]) -> Steps[list[Words]]:
    """Ask a masked language model what it says of each query's masks, and its memories."""
    answers = yield list(queries)
    if not context.phrases or not queries:
        return [Words(logits) for logits in answers]
    evidence = recalled(context.phrases, symbols(context.tokenizer), queries)
    apart = marks(context.tokenizer)
    return [Words(logits, found, apart) for logits, found in zip(answers, evidence, strict=True)]


def recalled(
    memories: Sequence[Phrases], table: Codes, queries: Sequence[Query]
) -> list[tuple[Evidence, ...]]:
    """What memories have for the masks of each query; they share a vocabulary, whose
    `symbols` are `table`."""
    keys = mask_keys(table, queries)
    ends = np.cumsum([len(query.positions) for query in queries])
    evidence: list[list[Evidence]] = [[] for _ in queries]
    for memory in memories:
        for one, items in zip(memory.tables, memory.recall(keys), strict=True):
            if len(queries) == 1 and len(items.rows):
                evidence[0].append(Evidence(items, one.gate))
                continue
            of_query = np.searchsorted(ends, items.rows, side="right")
            for number in np.unique(of_query).tolist():
                own = of_query == number
                rows = items.rows[own] - (ends[number] - len(queries[number].positions))
                part = Recalled(rows, items.tokens[own], items.sizes[own], items.trusts[own])
                evidence[number].append(Evidence(part, one.gate))
    return [tuple(one) for one in evidence]


def beginnings(values: IntArray) -> IntArray:
    """Where runs of equal values begin, int64 [runs]."""
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))


def mask_keys(symbols: Codes, queries: Sequence[Query]) -> Codes:
    """The `context_keys` of all masks of all queries, one after the other."""
    texts, places, before = [], [], 0
    for query in queries:
        padded, where = squeezed(symbols[query.input_ids])
        texts.append(padded)
        places.append(where[query.positions] + before)
        before += len(padded)
    return context_keys(np.concatenate(texts), np.concatenate(places))
