"""Fitting the evidence that stands beside the pair head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qingyu.tasks.parts import sameness as judge
from qingyu.text.contrasts import plain
from training import sameness


def test_logistic_regression_finds_the_weights_it_was_made_with() -> None:
    """Labels drawn with known weights give these back."""
    chance = np.random.default_rng(0)
    x = np.c_[chance.normal(size=(20_000, 2)), np.ones(20_000)]
    true = np.array([1.0, -2.0, 0.5])
    same = (chance.random(len(x)) < 1 / (1 + np.exp(-x @ true))).astype(float)
    assert sameness.logistic(x, same, np.ones(len(x))) == pytest.approx(true, abs=0.1)


def test_words_that_part_texts_are_learnt_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """红 against 蓝 parts texts and 吗 does not; the file written says what was fitted."""
    things = "门窗灯车书笔杯碗伞鞋帽表"
    pairs = [(f"{thing}红", f"{thing}蓝", 0) for thing in things]
    pairs += [(f"{thing}红", f"{thing}红吗", 1) for thing in things]
    monkeypatch.setattr(sameness, "FADING", 0.5)
    fitted = sameness.Words([pairs])
    apart, alike = (plain("布红"), plain("布蓝")), (plain("布红"), plain("布红吗"))
    assert fitted(*apart) < 0 < fitted(*alike)
    fitted.write(tmp_path / "sameness.tsv")
    read = judge.read((tmp_path / "sameness.tsv").read_text("utf-8"))
    assert read(*apart) == pytest.approx(fitted(*apart), abs=0.1)
    assert read(*alike) == pytest.approx(fitted(*alike), abs=0.1)
