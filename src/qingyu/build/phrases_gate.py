"""How far a memory is to be believed, learnt from text that it was not counted from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import InputError
from qingyu.model import Model
from qingyu.numbers import FloatArray, IntArray
from qingyu.phrases.write import write
from qingyu.query import Query
from qingyu.tasks.parts import heads
from qingyu.tasks.parts.words import (
    LEAST_BOOST,
    LEAST_LOG_P,
    LOG_P_SCALE,
    MOST_BOOST,
    recalled,
)
from qingyu.text.phrases import FEATURES, REACH, TRUSTS, Phrases, PhraseTable, symbols

Doubles: TypeAlias = NDArray[np.float64]

APART = 24  # tokens between the masks of one text
BATCH = 32  # texts whose rows are held together
STEPS = 400
RATE = 0.1
DECAY = 2e-5  # what a weight costs: the few that no text has taught stay small


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
    tables, gains = [], [0.0, 0.0]
    count = len(memory.tables)
    for number, table in enumerate(memory.tables):

        def share(done: float, number: int = number) -> object:
            return progress((number + done) / count)

        masks = masks_of_texts(model, memory, table, texts, share)
        gate, before, after = fitted(masks, table.gate)
        about = {**table.about, "fitted_on": len(masks.weights)}
        tables.append(PhraseTable(np.array(table.starts), np.array(table.entries), gate, about))
        gains = [gains[0] + before, gains[1] + after]
    write(memory.path, tables, model.tokenizer)
    return gains[0], gains[1]


def masks_of_texts(
    model: Model,
    memory: Phrases,
    table: PhraseTable,
    texts: Sequence[str],
    progress: Callable[[float], object] = float,
) -> Masks:
    """Every so many tokens of each text masked, twice at different places. Raises InputError where
    no text has a token to mask."""
    tokenizer, context = model.tokenizer, model.context
    head = context.head("fill-mask", heads.masked_lm)
    mask_id = tokenizer.mask_id or 0
    asked: list[tuple[Query, IntArray]] = []
    for number, text in enumerate(texts):
        ids = tokenizer.tokens(text).ids[: context.room]
        for first in (number % APART, (number + APART // 2) % APART):
            places = [i for i in range(first, len(ids), APART) if not tokenizer.is_special(ids[i])]
            if places:
                masked = [mask_id if i in places else one for i, one in enumerate(ids)]
                query = context.query(masked, places, head)
                asked.append((query, np.array([ids[i] for i in places], np.int64)))
    if not asked:
        raise InputError("没有可用于校准的文本。", "There is no text to fit the gate on.")
    return masks_of_queries(model, memory, table, asked, progress)


def masks_of_queries(
    model: Model,
    memory: Phrases,
    table: PhraseTable,
    asked: Sequence[tuple[Query, IntArray]],
    progress: Callable[[float], object] = float,
    weight: float = 1.0,
) -> Masks:
    """The masks of queries whose right tokens are known."""
    found = []
    for first in range(0, len(asked), BATCH):
        part = asked[first : first + BATCH]
        found += list(_evidence(model, memory, table, part, weight))
        progress(min(1.0, (first + BATCH) / len(asked)))
    return Masks.joined(found)


def _evidence(
    model: Model,
    memory: Phrases,
    table: PhraseTable,
    asked: Sequence[tuple[Query, IntArray]],
    weight: float,
) -> Iterator[Masks]:
    queries = [query for query, _ in asked]
    answers = model.run(queries)
    for (_, right), logits, evidence in zip(
        asked, answers, recalled([memory], symbols(model.tokenizer), queries), strict=True
    ):
        top = logits.max(axis=1).astype(np.float64)
        totals = top + np.log(np.exp(logits - top[:, None]).sum(axis=1, dtype=np.float64))
        items = next((one.found for one in evidence if one.gate is table.gate), None)
        empty = np.zeros(0, np.int64)
        rows = empty if items is None else items.rows
        tokens = empty if items is None else items.tokens
        cells = empty if items is None else (items.sizes - 1) * TRUSTS + items.trusts
        log_p = logits[rows, tokens] - totals[rows]
        features = np.ones((len(rows), FEATURES))
        features[:, 1] = np.exp(top - totals)[rows]
        features[:, 2] = np.maximum(log_p, LEAST_LOG_P) * LOG_P_SCALE
        yield Masks(
            rows, tokens, cells, features, log_p, tokens == right[rows],
            np.full(len(right), weight),
        )  # fmt: skip


def fitted(masks: Masks, start: FloatArray | None = None) -> tuple[FloatArray, float, float]:
    """The gate that makes the right tokens likeliest, and the mean of what it gains, in nats a
    mask, with the gate it started from and with itself. Adam (Kingma and Ba 2015) on all masks."""
    vocabulary = int(masks.token.max(initial=0)) + 1
    keys, item = np.unique(masks.row * vocabulary + masks.token, return_inverse=True)
    row = keys // vocabulary
    one = np.zeros(len(keys), np.int64)
    one[item] = np.arange(len(item))
    probability, right = np.exp(masks.log_p[one]), masks.right[one]
    share = masks.weights / masks.weights.sum()
    gate = (
        np.zeros((REACH * TRUSTS, FEATURES))
        if start is None
        else start.reshape(-1, FEATURES).astype(np.float64)
    )

    def measure(gate: Doubles) -> tuple[float, Doubles]:
        """(gain, gradient of the loss by the boost of each token)."""
        raw = np.bincount(item, (gate[masks.cell] * masks.features).sum(axis=1), len(keys))
        boosts = np.clip(raw, LEAST_BOOST, MOST_BOOST)
        totals = 1 + np.bincount(row, probability * np.expm1(boosts), len(share))
        gain = float((share[row] * right * boosts).sum() - (share * np.log(totals)).sum())
        slope = (probability * np.exp(boosts) / totals[row] - right) * share[row]
        return gain, slope * (raw == boosts)

    before, _ = measure(gate)
    mean = np.zeros_like(gate)
    square = np.zeros_like(gate)
    for step in range(1, STEPS + 1):
        _, slope = measure(gate)
        each = slope[item][:, None] * masks.features
        gradient: Doubles = np.stack(
            [np.bincount(masks.cell, column, len(gate)) for column in each.T], axis=1
        )
        gradient = gradient + DECAY * gate
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        rate = RATE * min(1.0, 2 * (1 - step / (STEPS + 1)))
        gate -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    after, _ = measure(gate)
    return gate.reshape(REACH, TRUSTS, FEATURES).astype(np.float32), before, after
