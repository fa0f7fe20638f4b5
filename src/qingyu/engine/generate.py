"""Writing text with an encoder-decoder: greedy and beam search over one decoder step.

Beam search: Sutskever et al. 2014 (arXiv:1409.3215); hypotheses are ranked by their log
probability divided by length ** penalty (Wu et al. 2016, arXiv:1609.08144).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qingyu.bundle import CROSS, HeadInfo
from qingyu.engine.batch import Feeds
from qingyu.engine.session import Session
from qingyu.numbers import FloatArray, log_softmax
from qingyu.query import Generation

NOTHING = -1  # after the end of a hypothesis


@dataclass(frozen=True)
class Hypothesis:
    tokens: tuple[int, ...]
    score: float


class Decoder:
    """The two graphs that write: keys and values of the source, and one step."""

    def __init__(self, folder: Path, head: HeadInfo, threads: int | None = None) -> None:
        """Raises BundleError where a graph cannot be read."""
        self._cross = Session(folder / CROSS, threads)
        self._step = Session(folder / head.file, threads)
        self._head = head

    def generate(self, states: FloatArray, wanted: Generation) -> FloatArray:
        """The best hypotheses for a source of hidden states [tokens, hidden], best first.

        float32 [wanted.sequences, 1 + longest]: a score, then token ids, then NOTHING. A token
        that ends a hypothesis is counted and given; the one that starts it is not.
        """
        written = self._search(self._cross.run({"hidden": states}), wanted)[: wanted.sequences]
        longest = max(len(hypothesis.tokens) for hypothesis in written)
        rows = np.full((len(written), 1 + longest), NOTHING, np.float32)
        for row, hypothesis in zip(rows, written, strict=True):
            row[0] = hypothesis.score
            row[1 : 1 + len(hypothesis.tokens)] = hypothesis.tokens
        return rows

    def follow(self, states: FloatArray, tokens: Sequence[int]) -> FloatArray:
        """Scores [len(tokens), vocabulary] of the first token and of those after each but the
        last of `tokens`, were they what has been written.
        """
        cross = self._cross.run({"hidden": states})
        past = self._empty(cross)
        logits = []
        for token in (self._head.start_id, *tokens[:-1]):
            feeds: Feeds = {"input_ids": np.array([token], np.int64), "past": past, "cross": cross}
            step = self._step.run_all(feeds)
            past = step["present"]
            logits.append(step["logits"])
        return np.concatenate(logits)

    @staticmethod
    def _empty(cross: FloatArray) -> FloatArray:
        """Keys and values of no tokens yet, for one text."""
        parts, heads, _, width = cross.shape
        return np.zeros((parts, 1, heads, 0, width), np.float32)

    def _search(self, cross: FloatArray, wanted: Generation) -> list[Hypothesis]:
        """Finished hypotheses, best first; greedy search is one with a single beam."""
        beams, end = wanted.beams, self._head.end_id
        running = [Hypothesis((), 0.0)]
        finished: list[Hypothesis] = []
        past = self._empty(cross)
        for length in range(1, wanted.max_new_tokens + 1):
            last = [beam.tokens[-1] if beam.tokens else self._head.start_id for beam in running]
            feeds: Feeds = {"input_ids": np.array(last, np.int64), "past": past, "cross": cross}
            step = self._step.run_all(feeds)
            totals = np.array([[beam.score] for beam in running]) + log_softmax(
                step["logits"].astype(np.float64)
            )
            grown: list[Hypothesis] = []
            parents = []
            over = length == wanted.max_new_tokens
            for rank, (parent, token) in enumerate(best(totals, 2 * beams)):
                tokens = (*running[parent].tokens, token)
                total = float(totals[parent, token])
                if token == end or over:
                    if rank < beams:
                        score = total / length**wanted.length_penalty
                        finished.append(Hypothesis(tokens, score))
                elif len(grown) < beams:
                    grown.append(Hypothesis(tokens, total))
                    parents.append(parent)
            finished = sorted(finished, key=lambda found: -found.score)[:beams]
            if over or self._settled(finished, grown, length, wanted):
                break
            running, past = grown, step["present"][:, parents]
        return finished

    @staticmethod
    def _settled(
        finished: list[Hypothesis], grown: list[Hypothesis], length: int, wanted: Generation
    ) -> bool:
        """Whether nothing that still grows can be expected to beat what is finished."""
        if len(finished) < wanted.beams:
            return False
        if wanted.early_stopping or not grown:
            return True
        hope: float = grown[0].score / length**wanted.length_penalty
        return finished[-1].score >= hope


def best(totals: NDArray[np.float64], count: int) -> list[tuple[int, int]]:
    """(row, column) of the `count` largest numbers, largest first; of equals the first."""
    flat = totals.ravel()
    count = min(count, flat.size)
    places = np.flatnonzero(flat >= np.partition(flat, -count)[-count])
    places = places[np.lexsort((places, -flat[places]))][:count]
    return [(int(i) // totals.shape[1], int(i) % totals.shape[1]) for i in places]
