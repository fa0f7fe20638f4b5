"""Models to ask: the default one as it ships, and tiny checkpoints built at FP32 as asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import qingyu
from qingyu.build.pipeline import Options, build
from qingyu.model import Model

CHECKPOINTS = Path(__file__).parents[1] / "golden" / "checkpoints"


@pytest.fixture(scope="session")
def model() -> Iterator[Model]:
    """The default model."""
    loaded = qingyu.load()
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    """A tiny checkpoint by name, built and loaded once."""
    folder = tmp_path_factory.mktemp("tiny")
    loaded: dict[str, Model] = {}

    def get(name: str) -> Model:
        if name not in loaded:
            options = Options(precision="fp32", measure=False)
            loaded[name] = qingyu.load(build(CHECKPOINTS / name, folder / name, options).path)
        return loaded[name]

    return get
