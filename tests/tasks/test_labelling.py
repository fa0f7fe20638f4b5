"""Schemes of labels: what a label says, and the likeliest sequence that keeps to its scheme."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.errors import InputError
from qingyu.model import Model
from qingyu.numbers import log_softmax
from qingyu.tasks.parts.labelling import entities, likeliest_path, parsed, rules

BIO = ("O", "B-A", "I-A", "B-B", "I-B")
SETS = {
    "BIO": BIO,
    "BIOES": ("O", "B-A", "I-A", "E-A", "S-A"),
    "BILOU": ("U-A", "L-A", "O", "I-A", "B-A"),
    "BMES": ("B-A", "M-A", "E-A", "S-A", "O"),
    "bare": ("O", "A", "B"),
    "no beginnings": ("O", "I-A", "I-B"),
}


def keeps(labels: tuple[str, ...], path: tuple[int, ...]) -> bool:
    """Whether a sequence may stand, label by label."""
    first, follows, last = rules(labels)
    pairs = pairwise(path)
    return bool(first[path[0]] and last[path[-1]] and all(follows[a, b] for a, b in pairs))


@pytest.mark.parametrize("scheme", SETS)
@given(data=st.data())
def test_the_path_is_the_best_of_all_that_keep_to_the_scheme(scheme: str, data: Any) -> None:
    """Of every sequence of up to four labels, written out, none allowed has more probability."""
    labels = SETS[scheme]
    seed, length = data.draw(st.integers(0, 10**6)), data.draw(st.integers(1, 4))
    logits = np.random.default_rng(seed).normal(0, 3, (length, len(labels))).astype(np.float32)
    rows = log_softmax(logits)
    path = likeliest_path(labels, rows)
    allowed = [p for p in product(range(len(labels)), repeat=length) if keeps(labels, p)]
    assert tuple(path) in allowed
    best = max(sum(float(rows[i, p[i]]) for i in range(length)) for p in allowed)
    assert sum(float(rows[i, path[i]]) for i in range(length)) == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize(
    ("scheme", "tags", "stands"),
    [
        ("BIO", "B-A I-A O", True), ("BIO", "O I-A O", False), ("BIO", "B-A I-B O", False),
        ("BIO", "I-A", False), ("BIO", "B-A B-A I-A", True), ("BIO", "O O B-B", True),
        ("BIOES", "B-A E-A S-A", True), ("BIOES", "B-A O", False), ("BIOES", "B-A", False),
        ("BIOES", "S-A I-A E-A", False), ("BIOES", "B-A I-A E-A O", True),
        ("BILOU", "U-A B-A L-A", True), ("BILOU", "B-A I-A", False), ("BMES", "B-A M-A E-A", True),
        ("BMES", "M-A E-A", False), ("bare", "A B O A", True), ("no beginnings", "I-A I-B", True),
    ],
)  # fmt: skip
def test_what_a_scheme_allows(scheme: str, tags: str, stands: bool) -> None:
    """What goes on has begun, what must end does end, and bare labels stand anywhere."""
    labels = SETS[scheme]
    assert keeps(labels, tuple(labels.index(tag) for tag in tags.split())) is stands


def test_labels_without_any_path_still_get_one() -> None:
    """Where no sequence keeps to the scheme, each token has a label all the same."""
    assert likeliest_path(("B-A", "E-A"), np.zeros((1, 2), np.float32)) in ([0], [1])


def test_labels_are_parsed_with_care() -> None:
    """A hyphen inside a name is no scheme, and the letter must be one of a scheme."""
    assert parsed("B-PER") == ("B", "PER")
    assert parsed("I-a-b") == ("I", "a-b")
    assert parsed("X-PER") == ("I", "X-PER")
    assert parsed("e-mail") == ("I", "e-mail")


def test_names_stay_whole(model: Model) -> None:
    """What a doubtful label tore apart under "simple" is one name by default."""
    text = "欧阳娜娜从联合利华公司辞职后，去了乌鲁木齐生活。"
    whole = model.token_classification(text)
    assert whole == model.token_classification(text, aggregation_strategy="viterbi")
    assert [one.text for one in whole.entities] == ["欧阳娜娜", "联合利华公司", "乌鲁木齐"]
    torn = model.token_classification(text, aggregation_strategy="simple")
    assert len(torn.entities) > 3


@pytest.mark.parametrize(
    "parameters", [{"aggregation_strategy": "best"}, {"ignore_labels": "O"}, {"ignore_labels": 3}]
)
def test_wrong_parameters_are_refused(model: Model, parameters: dict[str, Any]) -> None:
    """An unknown strategy, or labels to ignore that are no list, is one clear error."""
    with pytest.raises(InputError):
        model.token_classification("好", **parameters)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["O", "B-X", "I-X", "O"], {(1, 3, "X")}),
        (["B-X", "B-X"], {(0, 1, "X"), (1, 2, "X")}),
        (["B-X", "I-Y"], {(0, 1, "X"), (1, 2, "Y")}),
        (["I-X", "I-X"], {(0, 2, "X")}),
        (["O", "O"], set()),
        (["B-X", "I-X", "E-X", "S-X", "I-X"], {(0, 3, "X"), (3, 4, "X"), (4, 5, "X")}),
        (["X", "X", "O", "Y"], {(0, 2, "X"), (3, 4, "Y")}),
        ([], set()),
    ],
)
def test_entities(labels: list[str], found: set[tuple[int, int, str]]) -> None:
    """B begins, I goes on, an I of another kind begins too, and E and S end; O is no entity."""
    assert entities(labels) == found
