"""An index of texts in a folder: searched by words and by meaning, mapped into memory.

    index.json   the model, the columns, how many rows
    rows.jsonl   every row as it came, with all its columns; places.npy: where each begins
    ids.npy      int64 [n], a number that a row keeps as long as it lives
    vectors.npy  float16 [n, d], of length 1
    terms.npy starts.npy posted.npy counts.npy lengths.npy   postings, see `terms.py`

Search is exact. Rows are added and removed by writing the folder anew, whole or not at all.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qingyu.errors import BundleError, InputError
from qingyu.numbers import FloatArray
from qingyu.tasks.parts.rows import Hit

from .terms import Postings, post

FORMAT = 1
ABOUT, ROWS = "index.json", "rows.jsonl"
POSTINGS = {
    "terms": "terms",
    "starts": "starts",
    "rows": "posted",
    "counts": "counts",
    "lengths": "lengths",
}
ROWS_AT_ONCE = 16_384  # whose vectors are multiplied together
BY_WORDS = 0.5  # weight of words beside meaning

Row = Mapping[str, Any]


class Index:
    """An index opened for searching."""

    def __init__(self, folder: str | Path) -> None:
        """Raises BundleError where the folder is no index, or a damaged one."""
        self.folder = Path(folder)
        try:
            status = (self.folder / ABOUT).stat()
            self._made = status.st_ino, status.st_mtime_ns
            about = json.loads((self.folder / ABOUT).read_text("utf-8"))
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']}")
            self.model = str(about["model"])
            self.text_column = str(about["text"])
            self.ids = self._array("ids")
            self._places = self._array("places")
            self.vectors = self._array("vectors")
            postings = {name: self._array(file) for name, file in POSTINGS.items()}
            self._postings = Postings(**postings)
            n = int(about["rows"])
            if not len(self.ids) == len(self.vectors) == len(self._places) - 1 == n:
                raise ValueError("rows")
            if (self.folder / ROWS).stat().st_size != self._places[-1]:
                raise ValueError(ROWS)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, IndexError) as error:
            raise BundleError(
                f"{folder} 不是检索索引，或已损坏：{error}",
                f"{folder} is no search index, or a damaged one: {error}",
            ) from error

    def __repr__(self) -> str:
        return f"Index({self.name!r}, {self._made})"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def largest(self) -> int:
        """Bytes of the longest row."""
        return int(np.diff(self._places).max(initial=0))

    @property
    def bytes(self) -> int:
        """Bytes of its files, which are mapped into memory."""
        return sum(file.stat().st_size for file in self.folder.iterdir())

    def _array(self, name: str) -> NDArray[Any]:
        return np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

    def row(self, place: int) -> dict[str, Any]:
        """A row with all its columns."""
        start, end = int(self._places[place]), int(self._places[place + 1])
        with (self.folder / ROWS).open("rb") as file:
            file.seek(start)
            return dict(json.loads(file.read(end - start)))

    def rows(self) -> list[dict[str, Any]]:
        """All rows."""
        lines = (self.folder / ROWS).read_text("utf-8").split("\n")
        return [json.loads(line) for line in lines if line]

    def nearest(self, text: str, vector: FloatArray, count: int) -> list[Hit]:
        """The `count` rows that words and meaning together find best, best first.

        vector: float32 [d] of the text, of length 1

        Cosines and BM25 are put on one scale by their mean and their best in the whole index.
        """
        n = len(self)
        meaning = np.empty(n, np.float32)
        for start in range(0, n, ROWS_AT_ONCE):
            part = slice(start, min(n, start + ROWS_AT_ONCE))
            meaning[part] = self.vectors[part].astype(np.float32) @ vector
        words = BY_WORDS * _graded(self._postings.scores(text))
        scores = (1 - BY_WORDS) * _graded(meaning) + words
        best = np.argpartition(-scores, min(count, n) - 1)[:count] if n else np.empty(0, np.int64)
        best = best[np.lexsort((best, -scores[best]))]
        return [Hit(int(self.ids[i]), int(i), float(scores[i]), float(words[i])) for i in best]


def _graded(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores [n] with their mean at 0 and their best at 1: what all share says nothing."""
    middle, best = float(scores.mean()), float(scores.max(initial=0.0))
    return (scores - middle) / (best - middle) if best > middle else np.zeros_like(scores)


def write(
    out: str | Path,
    rows: Sequence[Row],
    vectors: FloatArray,
    *,
    ids: Sequence[int],
    text: str,
    model: str,
) -> None:
    """Write an index, whole or not at all, in the place of an index that is there.

    vectors: float32 [n, d] of length 1; text: the column that is searched; model: the digest of
    what made the vectors. Raises BundleError.
    """
    out = Path(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and not (out / ABOUT).is_file():
            raise FileExistsError(f"{out} 已存在且不是索引 / is no index")
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            _fill(aside, rows, vectors, ids, text, model)
            aside.chmod(0o755)
            if out.exists():
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


def _fill(
    folder: Path,
    rows: Sequence[Row],
    vectors: FloatArray,
    ids: Sequence[int],
    text: str,
    model: str,
) -> None:
    lines = [json.dumps(dict(row), ensure_ascii=False).encode() + b"\n" for row in rows]
    (folder / ROWS).write_bytes(b"".join(lines))
    np.save(folder / "places.npy", np.cumsum([0, *map(len, lines)], dtype=np.int64))
    np.save(folder / "ids.npy", np.array(ids, np.int64))
    np.save(folder / "vectors.npy", vectors.astype(np.float16))
    postings = post([str(row[text]) for row in rows])
    for name, file in POSTINGS.items():
        np.save(folder / f"{file}.npy", getattr(postings, name))
    about = {"format": FORMAT, "model": model, "text": text, "rows": len(rows)}
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False) + "\n", "utf-8")


def added(index: Index, rows: Sequence[Row], vectors: FloatArray) -> None:
    """Put more rows into an index. Raises BundleError, InputError for a row without its text."""
    for number, row in enumerate(rows, 1):
        if not str(row.get(index.text_column) or "").strip():
            raise InputError(
                f"第 {number} 行没有「{index.text_column}」。",
                f"Row {number} has no {index.text_column}.",
            )
    first = int(index.ids.max(initial=-1)) + 1
    ids = [*index.ids.tolist(), *range(first, first + len(rows))]
    whole = np.concatenate([index.vectors.astype(np.float32), vectors])
    everything = [*index.rows(), *rows]
    write(index.folder, everything, whole, ids=ids, text=index.text_column, model=index.model)


def removed(index: Index, ids: Iterable[int]) -> int:
    """Take rows out by their ids; returns how many there were. Raises BundleError."""
    gone = set(ids)
    kept = [i for i, one in enumerate(index.ids.tolist()) if one not in gone]
    rows = index.rows()
    write(
        index.folder,
        [rows[i] for i in kept],
        np.asarray(index.vectors[kept], np.float32),
        ids=[int(index.ids[i]) for i in kept],
        text=index.text_column,
        model=index.model,
    )
    return len(index.ids) - len(kept)
