"""Bundles of the tiny checkpoints, built once, and the questions their golden files ask."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from qingyu.build.pipeline import Options, build
from qingyu.bundle import Manifest
from qingyu.numbers import FloatArray
from qingyu.query import Query

GOLDEN = Path(__file__).parent.parent / "golden"

Case: TypeAlias = dict[str, NDArray[Any]]
Asked: TypeAlias = list[tuple[Query, FloatArray]]
"""Queries, each with what transformers answered."""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Manifest]:
    """`built(checkpoint, precision)`: its bundle, whatever the precision costs it."""
    made: dict[tuple[str, str], Manifest] = {}
    folder = tmp_path_factory.mktemp("bundles")

    def get(name: str, precision: str = "fp32") -> Manifest:
        if (name, precision) not in made:
            out = folder / f"{name}-{precision}"
            source = GOLDEN / "checkpoints" / name
            options = Options(precision=precision, min_agreement=0, measure=False)
            made[name, precision] = build(source, out, options).manifest
        return made[name, precision]

    return get


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[[str], Path]:
    """`checkpoint(name)`: a copy of a tiny checkpoint, to be broken."""

    def copy(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(GOLDEN / "checkpoints" / name, folder)
        return folder

    return copy


@pytest.fixture(scope="session")
def golden() -> Callable[[Manifest, str], Asked]:
    """`golden(manifest, checkpoint)`: everything its golden file asks, head by head."""

    def read(manifest: Manifest, name: str) -> Asked:
        cases: dict[str, Case] = {}
        with np.load(GOLDEN / f"{name}.npz") as file:
            for key, array in file.items():
                case, part = key.split(".")
                cases.setdefault(case, {})[part] = array
        return [pair for case in cases.values() for pair in _questions(case, manifest)]

    return read


def _questions(case: Case, manifest: Manifest) -> Asked:
    """The rows of one case without their padding."""
    asked: Asked = []
    for row, length in enumerate(case["attention_mask"].sum(axis=1)):
        ids = case["input_ids"][row, :length].astype(np.int64)
        types = case.get("token_type_ids", np.zeros_like(case["input_ids"]))[row, :length]
        types = types.astype(np.int64)
        inside = case["positions"] < length
        positions = case["positions"][inside].astype(np.int64)
        asked.append((Query(ids, types, positions), case["last_hidden_state"][row][inside]))
        for name, head in manifest.heads.items():
            if head.kind == "masked-lm":
                mine = case["rows"][:, 0] == row
                masks = case["rows"][mine, 1].astype(np.int64)
                if len(masks):
                    asked.append((Query(ids, types, masks, name), case["logits"][mine]))
            elif head.kind == "token-classification":
                logits = case["logits"][row][inside]
                asked.append((Query(ids, types, positions, name), logits))
            else:
                first = np.array([0])
                asked.append((Query(ids, types, first, name), case["logits"][row : row + 1]))
    return asked
