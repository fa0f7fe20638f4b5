"""Qingyu: the bundle that `qingyu build` made of the checkpoint, through the Python API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from engines.top import TOP, Candidates


def load(made: Path, _checkpoint: Path, _variant: str, threads: int) -> Any:
    import qingyu

    model = qingyu.load(made, threads=threads)

    def fill(texts: list[str]) -> list[Candidates]:
        found = [one.masks[0].candidates for one in model.fill_mask(texts, top_k=TOP)]
        return [[(one.token_id, one.score) for one in candidates] for candidates in found]

    return fill


def load_embed(made: Path, _checkpoint: Path, _variant: str, threads: int) -> Any:
    import qingyu

    model = qingyu.load(made, threads=threads)

    def embed(texts: list[str]) -> Any:
        return np.array([one.embedding for one in model.embed(texts, truncate="end")], np.float32)

    return embed
