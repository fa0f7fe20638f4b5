"""What a task reads of a row, and its result as cells of a table. The page names them alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from qingyu.errors import EmptyTextError, InputError

from .errors import FileError, RowError, short
from .rows import Cells

Fields: TypeAlias = dict[str, Any]
Cell: TypeAlias = str | float
PAIRED = {"sentence-similarity"}
PAIRABLE = PAIRED | {"text-classification"}
LISTED = 20  # columns named in an error


@dataclass(frozen=True)
class Inputs:
    """The columns that a task reads: one, or two for a pair."""

    names: tuple[str, ...]

    def of(self, cells: Cells, max_characters: int | None = None) -> tuple[str, ...]:
        """The texts of a row. Raises RowError and EmptyTextError."""
        texts = []
        for name in self.names:
            told = short(name)
            if name not in cells:
                raise RowError(f"没有「{told}」列。", f"has no column {told!r}.")
            value = cells[name]
            if value is not None and not isinstance(value, str | int | float):
                raise RowError(f"「{told}」列不是文字。", f"holds no text in column {told!r}.")
            text = "" if value is None else str(value)
            if not text.strip():
                raise EmptyTextError
            if max_characters is not None and len(text) > max_characters:
                raise RowError(
                    f"「{told}」列有 {len(text)} 个字符，最多 {max_characters} 个。",
                    f"holds {len(text)} characters in column {told!r}; {max_characters} are read.",
                )
            texts.append(text)
        return tuple(texts)


def choose(task: str, wanted: Sequence[str | None], available: Sequence[str]) -> Inputs:
    """Which columns to read: those wanted, else `text` (and `text_pair`), else the only ones.

    `available` is empty where rows differ. Raises FileError.
    """
    names = [name for name in wanted if name is not None]
    if task not in PAIRABLE and len(names) > 1:
        raise InputError(
            f"任务 {task} 只读一列，去掉 --pair。", f"{task} reads one column; leave out --pair."
        )
    missing = [name for name in names if available and name not in available]
    if not names:
        usual = ["text", "text_pair"] if task in PAIRED else ["text"]
        if not available or set(usual) <= set(available):
            names = usual
        elif len(available) == len(usual):
            names = list(available)
    if missing or not names:
        listed = [short(name) for name in available[:LISTED]]
        what_zh, what_en = "不知道该读哪一列", "leaves open which column to read"
        if missing:
            name = short(missing[0])
            what_zh, what_en = f"没有「{name}」列", f"has no column {name!r}"
        raise FileError(
            f"输入{what_zh}；有：{'、'.join(listed)}。用 --column 指定。",
            f"The input {what_en}; there are: {', '.join(listed)}. Name it: --column.",
        )
    if task in PAIRED and len(names) != 2:
        raise FileError(
            f"任务 {task} 读两列：--column 与 --pair。",
            f"{task} reads two columns: --column and --pair.",
        )
    return Inputs(tuple(names))


def names_of(task: str) -> list[str]:
    """The columns that a result adds to a table."""
    return list(CELLS.get(task, _OTHER)[0])


def cells_of(task: str, result: Fields) -> list[Cell]:
    """Their values for one result, in the order of `names_of`."""
    return CELLS.get(task, _OTHER)[1](result)


def without_inputs(result: Fields) -> Fields:
    """A result beside its row need not repeat the texts."""
    return {name: value for name, value in result.items() if name not in {"text", "text_pair"}}


def number(value: float) -> str:
    """A score as a table shows it."""
    return f"{value:.6f}"


def _surface(token: str) -> str:
    return token.removeprefix("##")


def _candidates(mask: Fields) -> str:
    return "; ".join(f"{_surface(c['token'])} {number(c['score'])}" for c in mask["candidates"])


def _fill_mask(result: Fields) -> list[Cell]:
    return [result["sequence"], " | ".join(_candidates(mask) for mask in result["masks"])]


def _labels(result: Fields) -> list[Cell]:
    pairs = list(zip(result["labels"], result["scores"], strict=True))
    every = "; ".join(f"{label} {number(score)}" for label, score in pairs)
    return [pairs[0][0], float(pairs[0][1]), every]


def _similarity(result: Fields) -> list[Cell]:
    return [result["label"], float(result["score"])]


def _check(result: Fields) -> list[Cell]:
    told: list[str] = []
    for suspect in result["suspects"]:
        best = suspect["candidates"][0]["token"] if suspect["candidates"] else ""
        told.append(f"{suspect['start']} {suspect['text']}→{_surface(best)}")
    return [result["corrected"], "; ".join(told)]


def _score(result: Fields) -> list[Cell]:
    return [float(result["perplexity"])]


def _entities(result: Fields) -> list[Cell]:
    return ["; ".join(f"{one['text']}/{one['label']}" for one in result["entities"])]


def _embedding(result: Fields) -> list[Cell]:
    return [json.dumps([float(f"{x:.7g}") for x in result["embedding"]])]


def _generated(result: Fields) -> list[Cell]:
    return [result["generated_text"]]


def _any(result: Fields) -> list[Cell]:
    return [json.dumps(without_inputs(result), ensure_ascii=False)]


Flatten: TypeAlias = Callable[[Fields], list[Cell]]
_OTHER: tuple[tuple[str, ...], Flatten] = (("result",), _any)
_RANKED: tuple[tuple[str, ...], Flatten] = (("label", "score", "all"), _labels)
CELLS: dict[str, tuple[tuple[str, ...], Flatten]] = {
    "fill-mask": (("filled", "candidates"), _fill_mask),
    "text-classification": _RANKED,
    "zero-shot-classification": _RANKED,
    "token-classification": (("entities",), _entities),
    "sentence-similarity": (("label", "score"), _similarity),
    "check": (("corrected", "suspects"), _check),
    "score": (("perplexity",), _score),
    "feature-extraction": (("embedding",), _embedding),
    "text2text-generation": (("generated_text",), _generated),
}
