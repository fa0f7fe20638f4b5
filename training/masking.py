"""Which tokens the model must guess. numpy only; works on a whole part at once.

Half of the rows (`span_share`) hide short runs of neighbouring tokens, the other half single
tokens: runs teach words and phrases, single tokens are what a user's [MASK] looks like. A row of
the second half hides exactly one token of each of its focus stretches, so that an idiom is asked
for with the rest of it in sight; in the first half a focus stretch is one run and is hidden whole
or not at all. Where
words are told apart, a run is one of them (Cui et al. 2021, "Pre-Training with Whole Word Masking
for Chinese BERT").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data import Rows

RUN_END = 0.4  # chance that a run ends after each token: runs of 2.5 tokens on average


@dataclass(frozen=True)
class Special:
    """Ids the masking must know. `continues` is bool [vocab]: True for a "##" piece; `first` the
    first ordinary id.
    """

    mask: int
    first: int
    continues: np.ndarray
    never: np.ndarray  # ids that are never hidden

    @classmethod
    def of(cls, vocab: dict[str, int]) -> Special:
        size = max(vocab.values()) + 1
        continues = np.zeros(size, dtype=bool)
        continues[[i for token, i in vocab.items() if token.startswith("##")]] = True
        kept = [i for t, i in vocab.items() if t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
        unused = [i for token, i in vocab.items() if token.startswith("[unused")]
        return cls(vocab["[MASK]"], max(kept + unused) + 1, continues, np.array(sorted(kept)))


def one_of_each(focus: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """bool [rows, length]: True at one random token of each focus stretch."""
    chosen = np.zeros(focus.shape, dtype=bool)
    row, column = np.nonzero(focus)
    stretch = row.astype(np.int64) * 256 + focus[row, column]
    order = np.lexsort((rng.random(len(row)), stretch))
    first = np.diff(stretch[order], prepend=-1) != 0
    chosen[row[order][first], column[order][first]] = True
    return chosen


def choose(
    rows: Rows,
    special: Special,
    rng: np.random.Generator,
    rate: float,
    span_share: float,
    whole_words: bool = False,
) -> np.ndarray:
    """bool [rows, length]: the tokens to guess, round(rate x ordinary tokens) of each row and at
    least one. `whole_words` makes a run of each of the words that `rows.inner` tells apart.
    """
    shape = rows.ids.shape
    ordinary = (rows.doc > 0) & ~np.isin(rows.ids, special.never)
    score = rng.random(shape, dtype=np.float32)

    single = score.copy()
    asked = one_of_each(rows.focus, rng)
    single[rows.focus > 0] += 1  # the rest of a focus stretch only when nothing else is left
    single[asked] -= 2

    def differs(values: np.ndarray) -> np.ndarray:
        return np.diff(values, axis=1, prepend=values[:, :1]) != 0

    starts = ~rows.inner if whole_words else rng.random(shape, dtype=np.float32) < RUN_END
    starts &= ~special.continues[rows.ids] & (rows.focus == 0)
    starts |= (
        differs(rows.doc.astype(np.int16))
        | differs(rows.focus.astype(np.int16))
        | differs(ordinary.view(np.int8))
    )
    starts[:, 0] = False  # so that runs are numbered from 0
    run = np.take_along_axis(score, np.cumsum(starts, axis=1), axis=1)

    in_runs = rng.random((shape[0], 1)) < span_share
    score = np.where(in_runs, run, single)
    score[~ordinary] = np.inf
    count = ordinary.sum(axis=1, keepdims=True)
    wanted = np.minimum(count, np.maximum(1, np.rint(rate * count)))
    rank = np.empty(shape, dtype=np.int32)
    np.put_along_axis(
        rank,
        np.argsort(score, axis=1, kind="stable"),
        np.arange(shape[1], dtype=np.int32)[None],
        axis=1,
    )
    return rank < wanted


def mask(
    rows: Rows,
    special: Special,
    rng: np.random.Generator,
    rate: float = 0.2,
    span_share: float = 0.5,
    whole_words: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets, both uint16 [rows, length]; a target of 0 is not asked for.

    Of the chosen tokens 80 % become [MASK], 10 % a random ordinary token and 10 % stay (Devlin et
    al. 2019, 3.1).
    """
    chosen = choose(rows, special, rng, rate, span_share, whole_words)
    targets = np.where(chosen, rows.ids, 0).astype(np.uint16)
    draw = rng.random(rows.ids.shape, dtype=np.float32)
    other = rng.integers(special.first, len(special.continues), rows.ids.shape, dtype=np.uint16)
    inputs = np.where(chosen & (draw < 0.8), np.uint16(special.mask), rows.ids)
    inputs = np.where(chosen & (draw >= 0.8) & (draw < 0.9), other, inputs)
    return inputs, targets
