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
    BOUNDARY,
    FEATURES,
    Codes,
    Phrases,
    Recalled,
    context_keys,
    squeezed,
    symbols,
)

LEAST_LOG_P = -14.0
LOG_P_SCALE = 0.1
LEAST_BOOST, MOST_BOOST = -8.0, 18.0
NOTABLE = 0.1  # nats by which a token is raised before it counts as remembered


class Beliefs:
    """What the model holds of the words at some masks, as the gate asks for it.

    totals:   float64 [masks], the log of the sum of all exponentials
    of_words: float64 [masks], that of words alone
    p_max:    float64 [masks], of the likeliest word among words
    marks:    float64 [masks], the probability of punctuation
    """

    def __init__(self, logits: FloatArray, symbols: Codes) -> None:
        """logits: float32 [masks, vocabulary]; `symbols` tell words from punctuation."""
        self.logits = logits
        words = logits.copy()
        words[:, np.flatnonzero(symbols == BOUNDARY)] = -np.inf
        self.totals = log_sums(logits)
        self.of_words = log_sums(words)
        self.p_max = np.exp(words.max(axis=1) - self.of_words)
        self.marks = -np.expm1(np.minimum(self.of_words - self.totals, 0.0))

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


def log_sums(logits: FloatArray) -> Doubles:
    """The log of the sum of exponentials of each row, float64 [rows]."""
    top = logits.max(axis=1)
    sums = np.exp(logits - top[:, None]).sum(axis=1, dtype=np.float64)
    return np.asarray(top + np.log(sums))


@dataclass(frozen=True)
class Evidence:
    """What one table of a memory has for the masks of a query, and the gate to weigh it by."""

    found: Recalled
    gate: FloatArray

    def boosts(self, beliefs: Beliefs) -> Doubles:
        """What each item adds, float64 [n]."""
        weights = self.gate[self.found.sizes - 1, self.found.trusts].astype(np.float64)
        features = beliefs.features(self.found.rows, self.found.tokens)
        return np.asarray((weights * features).sum(axis=1))


@dataclass(frozen=True, eq=False)
class Words:
    """The words at the masks of one query.

    logits:   float32 [masks, vocabulary]
    evidence: what memories have for these masks
    symbols:  `qingyu.text.phrases.symbols` of the vocabulary, where there is evidence
    """

    logits: FloatArray
    evidence: tuple[Evidence, ...] = ()
    symbols: Codes = field(default_factory=lambda: np.zeros(0, np.uint64))

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
        width = self.logits.shape[1]
        beliefs = Beliefs(self.logits, self.symbols)
        keys, boosts = [], []
        for one in self.evidence:
            places, tokens = one.found.rows, one.found.tokens
            summed, items = np.unique(places * width + tokens, return_inverse=True)
            each = np.bincount(items, one.boosts(beliefs), len(summed))
            keys.append(summed)
            boosts.append(np.clip(each, LEAST_BOOST, MOST_BOOST))
        joined, of_joined = np.unique(np.concatenate(keys), return_inverse=True)
        most = np.full(len(joined), -np.inf)
        np.maximum.at(most, of_joined, np.concatenate(boosts))
        places, tokens = np.divmod(joined, width)
        gained = np.exp(beliefs.log_p(places, tokens)) * np.expm1(most)
        sums = np.log1p(np.bincount(places, gained, len(self.logits)))
        return places, tokens, most, sums


def ask_words(context: Context, queries: Sequence[Query]) -> Steps[list[Words]]:
    """Ask a masked language model what it says of each query's masks, and its memories."""
    answers = yield list(queries)
    if not context.phrases or not queries:
        return [Words(logits) for logits in answers]
    table = symbols(context.tokenizer)
    evidence = recalled(context.phrases, table, queries)
    return [Words(logits, found, table) for logits, found in zip(answers, evidence, strict=True)]


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
            of_query = np.searchsorted(ends, items.rows, side="right")
            for number in np.unique(of_query).tolist():
                own = of_query == number
                rows = items.rows[own] - (ends[number] - len(queries[number].positions))
                part = Recalled(rows, items.tokens[own], items.sizes[own], items.trusts[own])
                evidence[number].append(Evidence(part, one.gate))
    return [tuple(one) for one in evidence]


def mask_keys(symbols: Codes, queries: Sequence[Query]) -> Codes:
    """The `context_keys` of all masks of all queries, one after the other."""
    texts, places, before = [], [], 0
    for query in queries:
        padded, where = squeezed(symbols[query.input_ids])
        texts.append(padded)
        places.append(where[query.positions] + before)
        before += len(padded)
    return context_keys(np.concatenate(texts), np.concatenate(places))
