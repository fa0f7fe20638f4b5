"""Token labels in a scheme such as BIO: parsing, spans, and allowed transitions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qingyu.numbers import FloatArray

OUTSIDE = "O"
BEGINS, GOES_ON, ENDS = "BSU", "IMEL", "ESLU"  # letters of the BIO, BIOES, BMEWO and BILOU schemes
# Nats a step against the scheme costs: more than any text can win by one, and still finite, so
# that labels which fit no scheme have a path too.
AGAINST = 1e6


def parsed(label: str) -> tuple[str, str]:
    """The letter of the scheme and the kind: B-PER is B and PER; a bare label goes on as I."""
    place, dash, kind = label.partition("-")
    if dash and len(place) == 1 and place in BEGINS + GOES_ON:
        return place, kind
    return "I", label


def spans(labels: Sequence[str]) -> list[tuple[int, int, str]]:
    """(start, end, kind) of all runs of labels that make one span, end exclusive, in order.

    A label joins the one before if both are of one kind, it does not begin and the other does not
    end; so an I after another kind begins a span, too. What is outside is of kind `OUTSIDE`.
    """
    labelled: list[tuple[int, int, str]] = []
    last_place = last_kind = ""
    for index, (place, kind) in enumerate(map(parsed, labels)):
        if labelled and kind == last_kind and place not in BEGINS and last_place not in ENDS:
            labelled[-1] = (labelled[-1][0], index + 1, kind)
        else:
            labelled.append((index, index + 1, kind))
        last_place, last_kind = place, kind
    return labelled


def entities(labels: Sequence[str]) -> set[tuple[int, int, str]]:
    """The spans of `labels` that are not outside."""
    return {span for span in spans(labels) if span[2] != OUTSIDE}


def likeliest_path(labels: Sequence[str], log_probs: FloatArray) -> list[int]:
    """Index of the label of each token in the likeliest sequence that keeps to the scheme.

    log_probs: float32 [tokens, labels]

    A label that goes on follows one of its kind that has begun, and where the scheme marks ends,
    what has begun goes on until one (Viterbi 1967, over independent tokens and hard rules).
    """
    first, follows, last = rules(labels)
    scores = log_probs[0].astype(np.float64) - AGAINST * ~first
    penalty = AGAINST * ~follows
    came_from = []
    for row in log_probs[1:]:
        paths = scores[:, None] - penalty
        best = paths.argmax(axis=0)
        came_from.append(best)
        scores = paths[best, np.arange(len(labels))] + row
    path = [int((scores - AGAINST * ~last).argmax())]
    for best in reversed(came_from):
        path.append(int(best[path[-1]]))
    return path[::-1]


def rules(
    labels: Sequence[str],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which labels may come first [n], which after which [before, after], and which last [n]."""
    known = [parsed(label) for label in labels]
    begun = {kind for place, kind in known if place == "B"}
    ended = {kind for place, kind in known if place in "EL"}
    # A kind without a beginning, such as O or PER alone, may stand anywhere.
    inside = np.array([place in GOES_ON and kind in begun for place, kind in known])
    open_ = np.array([place in "BIM" and kind in begun for place, kind in known])
    unfinished = open_ & np.array([kind in ended for _, kind in known])
    kinds = np.array([kind for _, kind in known])
    goes_on = open_[:, None] & (kinds[:, None] == kinds[None, :])
    follows = np.where(inside[None, :], goes_on, ~unfinished[:, None])
    return ~inside, follows, ~unfinished
