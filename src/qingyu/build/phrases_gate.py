"""How far a memory is to be believed, learnt from text that it was not counted from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import InputError
from qingyu.model import Model
from qingyu.numbers import Doubles, FloatArray, IntArray
from qingyu.phrases.write import write
from qingyu.query import Query
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.words import (
    LEAST_BOOST,
    MOST_BOOST,
    Beliefs,
    recalled,
)
from qingyu.text.phrases import (
    BOUNDARY,
    FEATURES,
    REACH,
    TRUSTS,
    Phrases,
    PhraseTable,
    Recalled,
    marks,
    symbols,
)

NOTHING = Recalled(*(np.zeros(0, np.int64) for _ in range(4)))

APART = 24  # tokens between the masks of one text
CLAUSE = range(3, 15)  # tokens of a clause that is asked about by itself
CLAUSE_WEIGHT = 0.3  # of its mask beside one of running text
BATCH = 32  # texts whose rows are held together
STEPS = 400
RATE = 0.05
DECAY = 1e-6
# Weights of a size are a parabola over its trusts: as good on other text as weights of their own,
# which follow chance where text has taught little.
CURVE = np.stack([np.linspace(0, 1, TRUSTS) ** power for power in range(3)], axis=1)


@dataclass(frozen=True)
class Masks:
    """Masked tokens of held-out text and the evidence that one table has for each.

    row, token, cell: int64 [n], for each piece of evidence: its mask, its token, its cell of the
                      gate
    features:         float64 [n, FEATURES]
    log_p:            float64 [n], what the model gives its token
    right:            bool [n], whether its token is the one that stood there
    weights:          float64 [masks], what each mask counts for
    """

    row: IntArray
    token: IntArray
    cell: IntArray
    features: Doubles
    log_p: Doubles
    right: NDArray[np.bool_]
    weights: Doubles

    @staticmethod
    def joined(parts: Sequence[Masks]) -> Masks:
        starts = np.cumsum([0, *(len(part.weights) for part in parts)])
        rows = [part.row + start for part, start in zip(parts, starts, strict=False)]
        rest = ("token", "cell", "features", "log_p", "right", "weights")
        values = {name: np.concatenate([getattr(part, name) for part in parts]) for name in rest}
        return Masks(row=np.concatenate(rows), **values)


def refit(
    model: Model,
    memory: Phrases,
    texts: Sequence[str],
    progress: Callable[[float], object] = float,
) -> tuple[float, float]:
    """Fit the gate of each table of a memory on texts that it was not counted from, and write the
    file anew. Returns what a mask gains with the gates before and after, in nats, added up over
    the tables. Raises InputError and PhrasesError."""
    found = evidence_of(model, [memory], asked_of(model, texts), progress)
    tables, before, after = regated(memory, found)
    write(memory.path, tables, model.tokenizer)
    return before, after


def regated(memory: Phrases, found: Sequence[Masks]) -> tuple[list[PhraseTable], float, float]:
    """The tables of a memory with gates fitted on what each has for held-out masks; and what a mask
    gains with the gates before and after, in nats, added up over the tables."""
    tables, gains = [], [0.0, 0.0]
    for table, masks in zip(memory.tables, found, strict=True):
        gate, before, after = fitted(masks, table.gate)
        about = {**table.about, "fitted_on": len(masks.weights)}
        tables.append(PhraseTable(np.array(table.starts), np.array(table.entries), gate, about))
        gains = [gains[0] + before, gains[1] + after]
    return tables, gains[0], gains[1]


class KnownQuery(NamedTuple):
    """A query whose right tokens are known, and what each of its masks counts for."""

    query: Query
    right: IntArray
    weight: float


def asked_of(model: Model, texts: Sequence[str]) -> list[KnownQuery]:
    """Every so many tokens of each text masked; and the last token of one of its clauses, which
    stands alone and without a mark behind it, as people type. Raises InputError where no text has
    a token to mask."""
    tokenizer, context = model.tokenizer, model.context
    head = context.head("fill-mask", heads.masked_lm)
    mask_id = tokenizer.mask_id or 0
    codes = symbols(tokenizer)
    found = []
    for number, text in enumerate(texts):
        ids = np.array(tokenizer.tokens(text).ids[: context.room], np.int64)
        places = np.arange(number % APART, len(ids), APART)
        asked = [(ids, places, 1.0)]
        ends = np.flatnonzero(np.concatenate([[True], codes[ids] == BOUNDARY, [True]]))
        clauses = [at for at in range(len(ends) - 1) if ends[at + 1] - ends[at] - 1 in CLAUSE]
        if clauses:
            chosen = clauses[number % len(clauses)]
            clause = ids[ends[chosen] : ends[chosen + 1] - 1]
            asked.append((clause, np.array([len(clause) - 1]), CLAUSE_WEIGHT))
        for whole, masked, weight in asked:
            masked = masked[[not tokenizer.is_special(i) for i in whole[masked].tolist()]]
            if len(masked):
                given = whole.copy()
                given[masked] = mask_id
                query = context.query(given.tolist(), masked.tolist(), head)
                found.append(KnownQuery(query, whole[masked], weight))
    if not found:
        raise InputError("没有可用于校准的文本。", "There is no text to fit the gate on.")
    return found


def evidence_of(
    model: Model,
    memories: Sequence[Phrases],
    asked: Sequence[KnownQuery],
    progress: Callable[[float], object] = float,
) -> list[Masks]:
    """What each table of some memories, one after the other, has for the masks of queries."""
    tables = [table for memory in memories for table in memory.tables]
    found: list[list[Masks]] = [[] for _ in tables]
    codes, apart = symbols(model.tokenizer), marks(model.tokenizer)
    for first in range(0, len(asked), BATCH):
        part = asked[first : first + BATCH]
        queries = [one.query for one in part]
        known = recalled(memories, codes, queries)
        for one, logits, evidence in zip(part, model.run(queries), known, strict=True):
            beliefs = Beliefs(logits, apart)
            of_table = {id(items.gate): items.found for items in evidence}
            for masks, table in zip(found, tables, strict=True):
                masks.append(_masks(one, beliefs, of_table.get(id(table.gate), NOTHING)))
        progress(min(1.0, (first + BATCH) / len(asked)))
    return [Masks.joined(parts) for parts in found]


def _masks(asked: KnownQuery, beliefs: Beliefs, found: Recalled) -> Masks:
    rows, tokens = found.rows, found.tokens
    return Masks(
        row=rows,
        token=tokens,
        cell=(found.sizes - 1) * TRUSTS + found.trusts,
        features=beliefs.features(rows, tokens),
        log_p=beliefs.log_p(rows, tokens),
        right=tokens == asked.right[rows],
        weights=np.full(len(asked.right), asked.weight),
    )


def fitted(masks: Masks, start: FloatArray) -> tuple[FloatArray, float, float]:
    """The gate that makes the right tokens likeliest, and the mean of what it gains, in nats a
    mask, with another gate `start` and with itself. Adam (Kingma and Ba 2015) on all masks."""
    vocabulary = int(masks.token.max(initial=0)) + 1
    keys, item = np.unique(masks.row * vocabulary + masks.token, return_inverse=True)
    row = keys // vocabulary
    one = np.zeros(len(keys), np.int64)
    one[item] = np.arange(len(item))
    probability, right = np.exp(masks.log_p[one]), masks.right[one]
    share = masks.weights / masks.weights.sum()

    def measure(gate: NDArray[Any]) -> tuple[float, Doubles]:
        """(gain, gradient of the loss by the boost of each token)."""
        weights = gate.reshape(-1, FEATURES)[masks.cell]
        raw = np.bincount(item, (weights * masks.features).sum(axis=1), len(keys))
        boosts = np.clip(raw, LEAST_BOOST, MOST_BOOST)
        totals = 1 + np.bincount(row, probability * np.expm1(boosts), len(share))
        gain = float((share[row] * right * boosts).sum() - (share * np.log(totals)).sum())
        slope = (probability * np.exp(boosts) / totals[row] - right) * share[row]
        return gain, slope * (raw == boosts)

    curves = np.zeros((REACH, CURVE.shape[1], FEATURES))
    mean = np.zeros_like(curves)
    square = np.zeros_like(curves)
    for step in range(1, STEPS + 1):
        _, slope = measure(CURVE @ curves)
        each = slope[item][:, None] * masks.features
        by_cell = np.stack(
            [np.bincount(masks.cell, column, REACH * TRUSTS) for column in each.T], axis=1
        )
        gradient = CURVE.T @ by_cell.reshape(REACH, TRUSTS, FEATURES) + DECAY * curves
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        rate = RATE * min(1.0, 2 * (1 - step / (STEPS + 1)))
        curves -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    gate = (CURVE @ curves).astype(np.float32)
    return gate, measure(start)[0], measure(gate)[0]
