"""The native engine on a whole bundle: threads, wrong input, damaged files, what it refuses."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qingyu import bundle
from qingyu.bundle import Manifest
from qingyu.engine.batch import PackedBatch
from qingyu.engine.native import SET_VARIABLE, NativeEngine, chosen_set, library, refusal
from qingyu.errors import BundleError, SettingsError
from qingyu.query import Query


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    """The default bundle, where the engine can run it here."""
    found = bundle.read_manifest(bundle.find(bundle.DEFAULT))
    if (no := refusal(found)) is not None:
        pytest.skip(no.en)
    return found


def batch_of(lengths: list[int], head: str = "", vocabulary: int = 12280) -> PackedBatch:
    """Random tokens, all rows asked for."""
    draw = np.random.default_rng(sum(lengths))
    return PackedBatch.of(
        [
            Query(draw.integers(0, vocabulary, n), np.zeros(n, np.int64), np.arange(n), head)
            for n in lengths
        ]
    )


def test_any_number_of_threads_gives_the_same_bits(manifest: Manifest) -> None:
    """One, two or three threads, few rows or many, every bit is the same."""
    engines = [NativeEngine(manifest, threads) for threads in (1, 2, 3)]
    for lengths in ([1], [7], [40, 3, 61, 16], [90, 30]):
        batch = batch_of(lengths)
        one, two, three = (engine.run(batch)[0] for engine in engines)
        assert np.array_equal(one, two)
        assert np.array_equal(one, three)


def test_heads_that_share_a_file_map_it_once(manifest: Manifest) -> None:
    """Every file of weights is mapped once, however many heads read it."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("no /proc here")
    shared = [head.weights for head in manifest.heads.values() if head.weights]
    assert len(set(shared)) < len(shared)
    files = [str(manifest.path / name) for name in sorted({*shared, bundle.WEIGHTS})]

    def mapped() -> list[int]:
        lines = Path("/proc/self/maps").read_text().splitlines()
        return [sum(line.endswith(file) for line in lines) for file in files]

    before = mapped()
    engine = NativeEngine(manifest)
    assert [now - then for now, then in zip(mapped(), before, strict=True)] == [1] * len(files)
    engine.close()


def test_an_instruction_set_is_asked_for_by_name(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QINGYU_INSTRUCTION_SET takes the names that this CPU has; another is an error with them."""
    for index, name in enumerate(library.instruction_sets()):
        monkeypatch.setenv(SET_VARIABLE, name)
        assert chosen_set() == index
    monkeypatch.setenv(SET_VARIABLE, "abacus")
    with pytest.raises(SettingsError, match=r"plain, not 'abacus'"):
        NativeEngine(manifest)


def test_instruction_sets_agree(manifest: Manifest) -> None:
    """Every instruction set gives the hidden states of plain C but for rounding on the way."""
    batch = batch_of([12, 33])
    sets = range(len(library.instruction_sets()))
    found = [NativeEngine(manifest, 1, index).run(batch)[0] for index in sets]
    for states in found:
        norms = np.linalg.norm(states, axis=1) * np.linalg.norm(found[-1], axis=1)
        assert ((states * found[-1]).sum(axis=1) / norms).min() > 0.998


@pytest.mark.parametrize("wrong", ["token", "row", "type", "length"])
def test_what_leads_out_of_an_array_is_refused(manifest: Manifest, wrong: str) -> None:
    """C looks at every index before it uses it, and says so."""
    engine = NativeEngine(manifest, 1)
    batch = batch_of([5, 4])
    arrays = {
        "token": {"input_ids": batch.input_ids + 12280},
        "row": {"positions": batch.positions + 3},
        "type": {"token_type_ids": batch.token_type_ids - 1},
        "length": {"lengths": np.array([9, 0])},
    }
    with pytest.raises(ValueError, match="out of range"):
        engine.run(dataclasses.replace(batch, **arrays[wrong]))


def test_a_file_that_is_not_what_the_plan_tells_is_refused(
    manifest: Manifest, tmp_path: Path
) -> None:
    """Sizes are checked against the files before C sees a pointer."""
    plan = manifest.plan
    assert plan is not None
    assert plan.embeddings is not None
    words = dataclasses.replace(plan.embeddings.word, outputs=99999)
    larger = dataclasses.replace(plan.embeddings, word=words)
    wrong = dataclasses.replace(manifest, plan=dataclasses.replace(plan, embeddings=larger))
    with pytest.raises(BundleError, match=r"word_embeddings\.weight"):
        NativeEngine(wrong)
    folder = tmp_path / "cut"
    shutil.copytree(manifest.path, folder)
    path = folder / bundle.WEIGHTS
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(BundleError):
        NativeEngine(dataclasses.replace(manifest, path=folder))


def test_onnx_runtime_is_not_imported(manifest: Manifest) -> None:
    """A process that answers by this engine alone never loads the other's library."""
    script = (
        "import sys, qingyu; model = qingyu.load(); model.fill_mask('今天天气真[MASK]。');"
        "print(model.engine, 'onnxruntime' in sys.modules)"
    )
    without = {name: value for name, value in os.environ.items() if name != "QINGYU_ENGINE"}
    told = subprocess.check_output([sys.executable, "-c", script], text=True, env=without)
    assert told.split() == ["native", "False"]


def test_a_closed_engine_says_so(manifest: Manifest) -> None:
    """After close nothing is run."""
    engine = NativeEngine(manifest, 1)
    engine.close()
    with pytest.raises(ValueError, match="closed"):
        engine.run(batch_of([3]))


def test_refusals_give_a_reason(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles without a plan, and installations without kernels, go to another engine."""
    no = refusal(dataclasses.replace(manifest, plan=None))
    assert no is not None
    assert "BERT" in no.en

    def missing() -> None:
        raise OSError("no such file")

    monkeypatch.setattr(library, "library", missing)
    no = refusal(manifest)
    assert no is not None
    assert "no such file" in no.en
