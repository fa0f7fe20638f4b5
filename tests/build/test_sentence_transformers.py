"""Vectors as sentence-transformers made them: its files beside a checkpoint are followed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qingyu.build.pipeline import Built, Options, build
from qingyu.errors import CheckpointError
from qingyu.model import load
from qingyu.numbers import FloatArray
from qingyu.query import Query

Copy = Callable[[str], Path]
TEXT = "今天天气很好，我们去公园散步。"
STEPS = ("Transformer", "Pooling", "Normalize")

# By the formulas of sentence-transformers' Pooling, over states [tokens, hidden].
EXPECTED: dict[str, Callable[[FloatArray], Any]] = {
    "pooling_mode_cls_token": lambda states: states[0],
    "pooling_mode_mean_tokens": lambda states: states.mean(axis=0),
    "pooling_mode_max_tokens": lambda states: states.max(axis=0),
    "pooling_mode_mean_sqrt_len_tokens": lambda states: states.sum(axis=0) / len(states) ** 0.5,
    "pooling_mode_lasttoken": lambda states: states[-1],
}


def beside(folder: Path, pooling: dict[str, Any], *, steps: tuple[str, ...] = STEPS) -> Path:
    """Write the files of sentence-transformers into a checkpoint's folder."""
    modules = [
        {"idx": i, "name": str(i), "path": f"{i}_{step}" if i else "", "type": f"st.models.{step}"}
        for i, step in enumerate(steps)
    ]
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), "utf-8")
    return folder


def built(folder: Path) -> Built:
    return build(folder, folder.with_name("out"), Options(precision="fp32", measure=False))


@pytest.mark.parametrize("mode", EXPECTED)
def test_pooling_is_followed(checkpoint: Copy, mode: str) -> None:
    """Each kind of pooling gives the vector of its formula, from the states of the same bundle."""
    flags = {name: name == mode for name in EXPECTED}
    made = built(beside(checkpoint("bert-encoder"), {"word_embedding_dimension": 32, **flags}))
    assert "modules.json" in " ".join(note.en for note in made.notes)
    with load(made.path) as model:
        ids, types = model.tokenizer.framed(model.tokenizer.tokens(TEXT).ids)
        [states] = model.run([Query(ids, types, np.arange(len(ids)))])
        given = model.embed(TEXT, normalize=False).embedding
    np.testing.assert_allclose(given, EXPECTED[mode](states), rtol=1e-5, atol=1e-6)


def test_newer_files_name_the_mode(checkpoint: Copy) -> None:
    """Since version 5 the mode is one word."""
    made = built(beside(checkpoint("bert-encoder"), {"pooling_mode": "cls"}))
    assert made.manifest.embedding.pooling == "cls"


def test_without_its_files_it_is_the_mean(checkpoint: Copy) -> None:
    """A plain checkpoint gives what it gave before."""
    assert built(checkpoint("bert-encoder")).manifest.embedding.pooling == "mean"


def test_the_length_it_was_trained_for(checkpoint: Copy) -> None:
    """More tokens than `max_seq_length` are read in windows of that many."""
    folder = beside(checkpoint("bert-encoder"), {"pooling_mode": "mean"})
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 8}', "utf-8")
    with load(built(folder).path) as model:
        queries = next(model.steps("feature-extraction", TEXT))
        assert max(len(query.input_ids) for query in queries) == 8


@pytest.mark.parametrize(
    ("pooling", "steps", "told"),
    [
        ({"pooling_mode": "cls"}, ("Transformer", "Pooling", "Dense"), "Dense"),
        ({"pooling_mode": "cls"}, ("Transformer", "Pooling", "LSTM"), "LSTM"),
        ({"pooling_mode_weightedmean_tokens": True}, STEPS, "weightedmean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}, STEPS, "cls_token, "),
        ({}, STEPS, "pools by"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    checkpoint: Copy, pooling: dict[str, Any], steps: tuple[str, ...], told: str
) -> None:
    """A step left out in silence would make other vectors: the build stops and names it."""
    folder = beside(checkpoint("bert-encoder"), pooling, steps=steps)
    with pytest.raises(CheckpointError) as caught:
        built(folder)
    assert told in caught.value.en
    assert not folder.with_name("out").exists()


def test_prompts(checkpoint: Copy) -> None:
    """A prompt before every text is refused, one for some texts is told."""
    folder = beside(checkpoint("bert-encoder"), {"pooling_mode": "mean"})
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps({"prompts": {"query": "查询：", "passage": ""}}), "utf-8")
    told = " ".join(note.en for note in built(folder).notes)
    assert "查询：" in told
    assert "passage" not in told
    path.write_text(
        json.dumps({"prompts": {"query": "查询："}, "default_prompt_name": "query"}), "utf-8"
    )
    with pytest.raises(CheckpointError, match="default_prompt_name"):
        build(folder, folder.with_name("other"), Options(precision="fp32", measure=False))
