"""Logits of a masked language model become probabilities in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np

import qingyu
from qingyu.numbers import log_softmax, softmax
from qingyu.tasks.parts.words import Words

TASKS = Path(qingyu.__file__).parent / "tasks"
# These read logits of their own: labels of a text or a token, scores of written text, and what is
# told of a character in full sight.
OF_LABELS = {
    "classification.py", "token_classification.py", "zero_shot.py", "text2text.py", "cloze.py",
    "evidence.py",
}  # fmt: skip


def test_words_without_a_memory_are_a_plain_softmax() -> None:
    """To the last bit, as probabilities and as their logarithms."""
    logits = np.random.default_rng(0).normal(0, 9, (3, 50)).astype(np.float32)
    words = Words(logits)
    assert (words.probabilities() == softmax(logits)).all()
    assert (words.log_probabilities() == log_softmax(logits)).all()


def test_no_other_task_turns_words_into_probabilities() -> None:
    """Only `parts/words.py` and the tasks about labels import a softmax."""
    for path in TASKS.rglob("*.py"):
        names = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module == "qingyu.numbers"
            for alias in node.names
        }
        if names & {"softmax", "log_softmax"}:
            assert path.name in OF_LABELS | {"words.py"}, path
