"""The stored goldens are what torch and transformers answer now, and Qingyu's graphs answer so too.

`make test-reference` runs this where both are installed; elsewhere every test here is skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: run `make test-reference`")
pytest.importorskip("transformers", reason="transformers is missing: run `make test-reference`")

import pipeline_goldens
import tiny_goldens
import torch
from goldens import GOLDEN
from pipeline_cases import all_cases
from tiny_checkpoints import write
from tiny_recipes import RECIPES

pytestmark = pytest.mark.filterwarnings("default")

CLOSE = 1e-5
CASES = json.loads((GOLDEN / "pipelines.json").read_text(encoding="utf-8"))["cases"]
ENCODERS = [name for name, recipe in RECIPES.items() if "t5" not in recipe.model_type]
GENERATORS = [name for name in RECIPES if name not in ENCODERS]
CHECKPOINT = os.environ.get("QINGYU_REFERENCE_CHECKPOINT", "")
WORDS = os.environ.get("QINGYU_REFERENCE_WORDS", "")


@pytest.mark.parametrize("name", RECIPES)
def test_checkpoint_comes_out_the_same(name: str, tmp_path: Path) -> None:
    """Making a tiny checkpoint again gives every file byte for byte."""
    write(name, RECIPES[name], tmp_path)
    stored = sorted((GOLDEN / "checkpoints" / name).iterdir())
    assert [file.name for file in stored] == sorted(
        file.name for file in (tmp_path / name).iterdir()
    )
    for file in stored:
        assert file.read_bytes() == (tmp_path / name / file.name).read_bytes(), file.name


@pytest.mark.parametrize("name", RECIPES)
def test_stored_answers_are_the_models(name: str) -> None:
    """Hidden states, logits and generated tokens are those of the model run here and now."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        assert tiny_goldens.distance(name, dict(file), tiny_goldens.goldens_of(name)) < CLOSE


@pytest.mark.parametrize("number", range(0, len(CASES), 4))
def test_stored_answers_are_the_pipelines(number: int) -> None:
    """Every fourth call of a pipeline gives the stored answer."""
    assert len(CASES) == len(all_cases())
    answer = pipeline_goldens.answer(all_cases()[number])
    assert pipeline_goldens.distance(CASES[number], answer) < CLOSE


@pytest.mark.parametrize("name", pipeline_goldens.TOKENIZED)
def test_stored_tokens_are_the_tokenizers(name: str) -> None:
    """Ids, offsets and segments of every text are those of the tokenizer here and now."""
    stored = json.loads((GOLDEN / "tokenizers.json").read_text(encoding="utf-8"))[name]
    assert pipeline_goldens.distance(stored, pipeline_goldens.tokenised(name)) == 0


@pytest.mark.skipif(
    not (CHECKPOINT and WORDS),
    reason="QINGYU_REFERENCE_CHECKPOINT and QINGYU_REFERENCE_WORDS name no checkpoint and words",
)
def test_stored_answers_are_the_default_checkpoints() -> None:
    """Forty lines and four cases of each head give the stored logits of the default model."""
    import default_checkpoint

    every = 10
    lines = (GOLDEN / "sentences.txt").read_text(encoding="utf-8").splitlines()
    with np.load(GOLDEN / "default-fill-mask.npz") as file:
        stored = dict(file)
    model, tokenizer, weights = default_checkpoint.load(Path(CHECKPOINT))
    words = default_checkpoint.with_words(model, Path(WORDS))
    made = default_checkpoint.fill_mask(words, tokenizer, lines, every)
    for key in ("mask_position", "true_id", "top_ids"):
        np.testing.assert_array_equal(made[key], stored[key][::every])
    for key in ("top_log_probs", "top_logits"):
        np.testing.assert_allclose(made[key], stored[key][::every], atol=CLOSE)
    heads = json.loads((GOLDEN / "default-heads.json").read_text(encoding="utf-8"))
    for name, head in heads.items():
        cases = default_checkpoint.head_cases(
            model, tokenizer, weights, name, head["level"] == "token", every
        )
        assert pipeline_goldens.distance(head["cases"][::every], cases) < CLOSE


def fresh(name: str, folder: Path) -> tuple[Any, Any, Any]:
    """A tiny checkpoint with weights no golden file holds: Qingyu's FP32 manifest, and torch's
    model and tokenizer.
    """
    pytest.importorskip("onnx", reason="building needs onnx")
    from qingyu.build.pipeline import Options, build

    write(f"{name}-fresh", RECIPES[name], folder)
    options = Options(precision="fp32", min_agreement=0, measure=False)
    manifest = build(folder / f"{name}-fresh", folder / "bundle", options).manifest
    return manifest, *tiny_goldens.load(f"{name}-fresh", root=folder)


def some_ids(model: Any, tokenizer: Any, length: int) -> np.ndarray[Any, Any]:
    """Random token ids without padding, the same for the same length."""
    ids = np.random.default_rng(length).integers(0, model.config.vocab_size, length)
    ids[ids == tokenizer.pad_token_id] = tokenizer.unk_token_id
    return ids


@pytest.mark.parametrize("name", ENCODERS)
def test_fresh_weights_through_qingyu(name: str, tmp_path: Path) -> None:
    """Weights and tokens no golden file holds: Qingyu's FP32 graph answers as transformers does."""
    manifest, model, tokenizer = fresh(name, tmp_path)
    from qingyu.engine.network import Network
    from qingyu.query import Query

    queries: list[Query] = []
    expected: list[np.ndarray[Any, Any]] = []
    for length in (1, 2, 7, 33, 128, 300, 512):
        ids = some_ids(model, tokenizer, length)
        types = (ids % 2) * ("token_type_ids" in tokenizer.model_input_names)
        inputs = {"input_ids": torch.from_numpy(ids)[None]}
        if types.any():
            inputs["token_type_ids"] = torch.from_numpy(types)[None]
        with torch.inference_mode():
            hidden = model.base_model(**inputs).last_hidden_state[0]
            logits = model(**inputs).logits if manifest.heads else None
        queries.append(Query(ids, types, np.arange(length)))
        expected.append(hidden.numpy())
        for head in manifest.heads:
            positions = np.arange(length if logits.ndim == 3 else 1)
            queries.append(Query(ids, types, positions, head))
            expected.append(logits.reshape(len(positions), -1).numpy())
    for answer, truth in zip(Network(manifest).run(queries), expected, strict=True):
        np.testing.assert_allclose(answer, truth, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", GENERATORS)
def test_fresh_weights_write_the_same(name: str, tmp_path: Path) -> None:
    """Greedy and beam search over fresh weights: the same tokens, hypotheses and scores."""
    manifest, model, tokenizer = fresh(name, tmp_path)
    from qingyu.engine.network import Network
    from qingyu.query import Generation, Query

    network = Network(manifest)
    [head] = manifest.heads
    for length in (1, 5, 12, 40, 200):
        for beams in (1, 2, 4):
            ids = some_ids(model, tokenizer, length)
            query = Query(
                ids, np.zeros_like(ids), np.arange(length), head, Generation(15, beams, beams)
            )
            [answers] = network.run([query])
            output = model.generate(
                torch.from_numpy(ids)[None],
                do_sample=False,
                max_new_tokens=15,
                num_beams=beams,
                num_return_sequences=beams,
                return_dict_in_generate=True,
                output_scores=True,
            )
            for answer, tokens in zip(answers, output.sequences[:, 1:].tolist(), strict=True):
                end = (*tokens, 1).index(1) + 1
                assert [int(token) for token in answer[1:] if token >= 0] == tokens[:end]
            if beams > 1:
                np.testing.assert_allclose(answers[:, 0], output.sequences_scores, atol=1e-4)
