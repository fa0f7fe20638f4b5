"""The tables of savings, in miniature: every variant that needs no GPU and no torch answers."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from bench import gpu, savings
from bench.peers import shapes

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with an nli head, and its bundles."""
    made = tmp_path_factory.mktemp("savings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(shapes.SHAPES, "bert-base", TINY)
        assert not savings.prepared("bert-base", made, {"fp32", "int8"})
    return made


def test_texts_are_of_mixed_length() -> None:
    """The same texts each time: most short, some eight lines long."""
    asked = savings.texts(16)
    assert asked == savings.texts(16)
    lengths = sorted(map(len, asked))
    assert lengths[-1] > 4 * lengths[len(lengths) // 2]
    assert any(len(text) > savings.CHARACTERS for text in asked)


def test_every_variant_answers_and_is_told(folder: Path) -> None:
    """Padded, packed, quantised and cut short: seconds a round, memory, a label a text, a row."""
    asked, results = savings.texts(6), []
    for variant in savings.VARIANTS:
        if variant.engine == "torch" and importlib.util.find_spec("torch") is None:
            continue
        found = savings.measured(variant, folder / variant.precision, asked, 2, 1)
        assert len(found["seconds"]) == 2
        assert found["peak"] > 0
        assert len(found["best"]) == len(asked)
        assert set(found["best"]) <= set(savings.FIVE)
        results.append({"name": variant.name, **found})
    lines = savings.table(results, trained=True).splitlines()
    assert len(lines) == 2 + len(results)
    assert lines[2].endswith("| 1.0 | 100.0% |")
    assert savings.table(results, trained=False).splitlines()[2].endswith("| — |")


def test_the_gpus_variants_answer_on_the_cpu(folder: Path) -> None:
    """The dry run of the GPU's table: in FP32 and FP16, a text at a time, in batches, cut short."""
    asked = savings.texts(6)
    for variant in gpu.VARIANTS:
        found = gpu.measured(variant, folder / variant.precision, asked, 1, "cpu")
        assert len(found["seconds"]) == 1
        assert len(found["best"]) == len(asked)
        assert set(found["best"]) <= set(savings.FIVE)


def test_without_a_gpu_the_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU nothing is measured in its name."""
    monkeypatch.setattr(gpu.driver, "first_gpu", lambda: None)
    monkeypatch.setattr(gpu.sys, "argv", ["gpu", "bert-base"])
    with pytest.raises(SystemExit, match="no NVIDIA GPU"):
        gpu.main()
