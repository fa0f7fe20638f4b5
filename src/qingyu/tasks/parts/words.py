"""What the words at masks may be: the one place where a masked language model's logits become
probabilities, and where what its memories have of phrases is mixed in.

A memory gives evidence for tokens: contexts around the mask in which they were seen. Each piece of
it raises its token's log-probability by a weight from the memory's gate,

    w . (1, p_max, max(log p, -14) / 10)        w = gate[size of the context, trust]

where p is the model's probability of the token and p_max that of its likeliest: how far a memory
is believed depends on how sure the model is, and on whether it finds the token possible at all.
The weights of one memory's evidence for a token are summed; of several memories the one that
raises it most counts, so that saying a thing twice does not make it truer. All probabilities are
then divided by their sum. It is a log-linear mixture of experts (Hinton 1999, "Products of
Experts") whose second expert is silent about most words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qingyu.numbers import FloatArray, IntArray, log_softmax, softmax
from qingyu.query import Query, Steps
from qingyu.tasks.context import Context
from qingyu.text.phrases import FEATURES, Codes, Phrases, Recalled, context_keys, squeezed, symbols

LEAST_LOG_P = -14.0
LOG_P_SCALE = 0.1
LEAST_BOOST, MOST_BOOST = -8.0, 18.0
NOTABLE = 0.1  # nats by which a token is raised before it counts as remembered


@dataclass(frozen=True)
class Evidence:
    """What one table of a memory has for the masks of a query, and the gate to weigh it by."""

    found: Recalled
    gate: FloatArray

    def boosts(self, log_p: FloatArray, p_max: FloatArray) -> FloatArray:
        """What each item adds, float64 [n], by the model's log-probability of its token, [n], and
        of the likeliest token there, [n]."""
        weights = self.gate[self.found.sizes - 1, self.found.trusts].astype(np.float64)
        features = np.empty((len(log_p), FEATURES))
        features[:, 0] = 1.0
        features[:, 1] = p_max
        features[:, 2] = np.maximum(log_p, LEAST_LOG_P) * LOG_P_SCALE
        return np.asarray((weights * features).sum(axis=1))


@dataclass(frozen=True, eq=False)
class Words:
    """The words at the masks of one query.

    logits:   float32 [masks, vocabulary]
    evidence: what memories have for these masks
    """

    logits: FloatArray
    evidence: tuple[Evidence, ...] = ()

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
    def _raised(self) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """(mask, token, boost) of every token with evidence, and for each mask the log of the sum
        of all probabilities once they are raised."""
        width = self.logits.shape[1]
        top = self.logits.max(axis=1).astype(np.float64)
        totals = top + np.log(np.exp(self.logits - top[:, None]).sum(axis=1, dtype=np.float64))
        p_max = np.exp(top - totals)
        keys, boosts = [], []
        for one in self.evidence:
            places, tokens = one.found.rows, one.found.tokens
            log_p = self.logits[places, tokens] - totals[places]
            summed, items = np.unique(places * width + tokens, return_inverse=True)
            each = np.bincount(items, one.boosts(log_p, p_max[places]), len(summed))
            keys.append(summed)
            boosts.append(np.clip(each, LEAST_BOOST, MOST_BOOST))
        joined, of_joined = np.unique(np.concatenate(keys), return_inverse=True)
        most = np.full(len(joined), -np.inf)
        np.maximum.at(most, of_joined, np.concatenate(boosts))
        places, tokens = np.divmod(joined, width)
        gained = np.exp(self.logits[places, tokens] - totals[places]) * np.expm1(most)
        sums = np.log1p(np.bincount(places, gained, len(self.logits)))
        return places, tokens, most, sums


def ask_words(context: Context, queries: Sequence[Query]) -> Steps[list[Words]]:
    """Ask a masked language model what it says of each query's masks, and its memories."""
    answers = yield list(queries)
    if not context.phrases or not queries:
        return [Words(logits) for logits in answers]
    evidence = recalled(context.phrases, symbols(context.tokenizer), queries)
    return [Words(logits, found) for logits, found in zip(answers, evidence, strict=True)]


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
