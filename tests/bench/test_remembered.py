"""A glossary is learnt, nonsense is not: the figures of bench/remembered.py on little text."""

from __future__ import annotations

from pathlib import Path

import pytest

import qingyu
from bench.remembered import measured

LINES = Path(__file__).parents[1] / "golden" / "sentences.txt"


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    lines = LINES.read_text("utf-8").splitlines()
    with qingyu.load() as model:
        return measured(model, lines, tmp_path_factory.mktemp("memories"))


def test_names_of_a_document_are_known(figures: dict[str, float]) -> None:
    """Of two hundred made-up names, of which the model knows hardly any, nine in ten come first."""
    assert figures["names, untaught"] < 0.2
    assert figures["names, taught"] >= 0.9


@pytest.mark.parametrize("memory", ["names taught", "nonsense taught"])
def test_other_text_is_answered_as_before(figures: dict[str, float], memory: str) -> None:
    """Neither a glossary nor shuffled text costs more than two answers of four hundred."""
    assert figures[f"held-out lines, {memory}"] >= figures["held-out lines"] - 0.005
