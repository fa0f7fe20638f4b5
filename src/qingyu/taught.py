"""A head that a user taught: a folder with what it knows, beside the bundle it was taught on.

    head.json    labels, the bundle it belongs to, how its numbers are made, how good it is
    head.npz     centres, weights and biases, float32
    rows.jsonl   the texts and labels it was taught with, so that more can be added
    vectors.npy  their vectors, float16, so that adding costs only the new ones

It is linear in three things: means of rows that the bundle's heads give for a text (`views`), which
runs of characters the text has (`grams`), and what the labels' names alone say (`names`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qingyu.errors import BundleError
from qingyu.numbers import FloatArray, IntArray

FORMAT = 1
ABOUT, NUMBERS, ROWS, VECTORS = "head.json", "head.npz", "rows.jsonl", "vectors.npy"
LONGEST_GRAM = 3


@dataclass(frozen=True, eq=False)
class Taught:
    """A taught head.

    labels:      k names, in order
    views:       heads of the bundle whose rows are averaged, "" the encoder's end
    centre:      float32 [d], what is taken from the vector of all views
    weights:     float32 [d, k]; bias float32 [k]
    grams:       runs of characters, each with a row of `gram_weights` float32 [g, k]
    rarity:      float32 [g], the weight of each run in a text
    names:       the words that say what each label is, empty where they are not asked
    trust:       what the log-probabilities of the names are multiplied by
    temperature: what logits are divided by
    bar:         the probability below which an answer is uncertain; None where it is not known
    bundle:      digest of the weights it was taught on
    about:       scores and notes, for people
    """

    name: str
    labels: tuple[str, ...]
    views: tuple[str, ...]
    centre: FloatArray
    weights: FloatArray
    bias: FloatArray
    grams: dict[str, int]
    rarity: FloatArray
    gram_weights: FloatArray
    names: tuple[str, ...] = ()
    trust: float = 0.0
    temperature: float = 1.0
    bar: float | None = None
    bundle: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    digest: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return f"Taught({self.name!r}, {self.digest})"

    @property
    def bytes(self) -> int:
        """What it holds in memory, about."""
        return 200 * len(self.grams) + sum(int(getattr(self, name).nbytes) for name in ARRAYS)

    def logits(self, vector: FloatArray, text: str, prior: FloatArray | None) -> FloatArray:
        """float32 [k]; `vector` [d] of all views, `prior` the names' log-probabilities [k]."""
        scores = (vector - self.centre) @ self.weights + self.bias
        columns, values = weighed(text, self.grams, self.rarity)
        if len(columns):
            scores = scores + values @ self.gram_weights[columns]
        if prior is not None:
            scores = scores + self.trust * prior
        return np.asarray(scores / self.temperature, np.float32)


def grams_of(text: str) -> set[str]:
    """All runs of one to three characters of a text, lower case."""
    text = text.lower()
    return {
        text[i : i + size]
        for size in range(1, LONGEST_GRAM + 1)
        for i in range(len(text) - size + 1)
    }


def weighed(text: str, grams: dict[str, int], rarity: FloatArray) -> tuple[IntArray, FloatArray]:
    """Which of the known runs a text has, int64 [m] ascending, and their weights [m], a vector of
    length 1."""
    columns = np.array(sorted(grams[one] for one in grams_of(text) if one in grams), np.int64)
    values = rarity[columns]
    return columns, np.asarray(values / (np.linalg.norm(values) or 1.0), np.float32)


def write(head: Taught, rows: Sequence[tuple[str, str]], vectors: FloatArray, out: Path) -> None:
    """Write the folder `out`, whole or not at all, in the place of one that is there.

    rows: text and label of each; vectors float32 [rows, d]. Raises BundleError.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            _fill(head, rows, vectors, aside)
            aside.chmod(0o755)
            if out.exists():
                if not (out / ABOUT).is_file():
                    raise FileExistsError(
                        f"{out} 已存在且不是学成的头 / is there and no taught head"
                    )
                old = aside.with_name(f"{aside.name}-old")
                out.rename(old)
                aside.rename(out)
                shutil.rmtree(old)
            else:
                aside.rename(out)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise BundleError(f"无法写入 {out}：{error}", f"Cannot write {out}: {error}") from error


def _fill(head: Taught, rows: Sequence[tuple[str, str]], vectors: FloatArray, folder: Path) -> None:
    about = {
        "format": FORMAT,
        "name": head.name,
        "labels": head.labels,
        "views": head.views,
        "grams": list(head.grams),
        "names": head.names,
        "trust": head.trust,
        "temperature": head.temperature,
        "bar": head.bar,
        "bundle": head.bundle,
        "about": head.about,
    }
    text = json.dumps(about, ensure_ascii=False, indent=1) + "\n"
    (folder / ABOUT).write_text(text, "utf-8")
    arrays: dict[str, FloatArray] = {name: getattr(head, name) for name in ARRAYS}
    with (folder / NUMBERS).open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's own stubs ask for a bool
    lines = [json.dumps({"text": t, "label": k}, ensure_ascii=False) for t, k in rows]
    (folder / ROWS).write_text("\n".join(lines) + "\n", "utf-8")
    np.save(folder / VECTORS, vectors.astype(np.float16))


ARRAYS = ("centre", "weights", "bias", "rarity", "gram_weights")


def read(folder: Path) -> Taught:
    """A taught head from its folder. Raises BundleError where it is none, or is damaged."""
    try:
        raw = (folder / ABOUT).read_bytes()
        values = json.loads(raw)
        if values["format"] != FORMAT:
            raise ValueError(f"format {values['format']}")
        with np.load(folder / NUMBERS, allow_pickle=False) as numbers:
            arrays = {name: np.asarray(numbers[name], np.float32) for name in ARRAYS}
        k, d, g = len(values["labels"]), len(arrays["centre"]), len(values["grams"])
        shapes = {"weights": (d, k), "bias": (k,), "rarity": (g,), "gram_weights": (g, k)}
        for name, shape in shapes.items():
            if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name} {arrays[name].shape}")
        if values["names"] and len(values["names"]) != k:
            raise ValueError("names")
        return Taught(
            name=str(values["name"]),
            labels=tuple(map(str, values["labels"])),
            views=tuple(map(str, values["views"])),
            grams={str(one): i for i, one in enumerate(values["grams"])},
            names=tuple(map(str, values["names"])),
            trust=float(values["trust"]),
            temperature=float(values["temperature"]),
            bar=None if values["bar"] is None else float(values["bar"]),
            bundle=str(values["bundle"]),
            about=dict(values["about"]),
            digest=hashlib.sha256(raw + (folder / NUMBERS).read_bytes()).hexdigest(),
            **arrays,
        )
    except (OSError, ValueError, RecursionError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise BundleError(
            f"{folder} 不是学成的头，或已损坏：{error}",
            f"{folder} is no taught head, or a damaged one: {error}",
        ) from error


def read_rows(folder: Path) -> tuple[list[tuple[str, str]], FloatArray]:
    """The rows a head was taught with, and their vectors float32 [rows, d]. Raises BundleError."""
    try:
        lines = (folder / ROWS).read_text("utf-8").split("\n")
        rows = [(str(r["text"]), str(r["label"])) for r in map(json.loads, filter(None, lines))]
        vectors = np.load(folder / VECTORS, allow_pickle=False).astype(np.float32)
        if len(vectors) != len(rows):
            raise ValueError(f"{len(rows)} rows, {len(vectors)} vectors")
        return rows, vectors
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise BundleError(
            f"{folder} 中所学的行无法读取：{error}",
            f"The rows that {folder} was taught with cannot be read: {error}",
        ) from error
