"""Results in the shapes of others: cells of a table, and the answers of Hugging Face's clients.

Both are made of a result's fields as JSON has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Fields: TypeAlias = dict[str, Any]
Cell: TypeAlias = str | float
HuggingFace: TypeAlias = Callable[[Fields, Fields], Any]
"""(result, parameters of the request) -> what a client of Hugging Face expects."""


@dataclass(frozen=True)
class AddedColumns:
    """The columns that a result adds to its row, and their values. The page has the same."""

    columns: tuple[str, ...]
    cells: Callable[[Fields], list[Cell]]


def number(value: float) -> str:
    """A score as a table shows it."""
    return f"{value:.6f}"


def _surface(token: str) -> str:
    return token.removeprefix("##")


def _candidates(mask: Fields) -> str:
    return "; ".join(f"{_surface(c['token'])} {number(c['score'])}" for c in mask["candidates"])


def cells_of_masks(result: Fields) -> list[Cell]:
    return [result["sequence"], " | ".join(_candidates(mask) for mask in result["masks"])]


def cells_of_labels(result: Fields) -> list[Cell]:
    pairs = list(zip(result["labels"], result["scores"], strict=True))
    every = "; ".join(f"{label} {number(score)}" for label, score in pairs)
    return [pairs[0][0], float(pairs[0][1]), every]


def cells_of_similarity(result: Fields) -> list[Cell]:
    return [result["label"], float(result["score"])]


def cells_of_check(result: Fields) -> list[Cell]:
    told: list[str] = []
    for suspect in result["suspects"]:
        best = suspect["candidates"][0]["token"] if suspect["candidates"] else ""
        told.append(f"{suspect['start']} {suspect['text']}→{_surface(best)}")
    return [result["corrected"], "; ".join(told)]


def cells_of_score(result: Fields) -> list[Cell]:
    return [float(result["perplexity"])]


def cells_of_entities(result: Fields) -> list[Cell]:
    return ["; ".join(f"{one['text']}/{one['label']}" for one in result["entities"])]


def cells_of_embedding(result: Fields) -> list[Cell]:
    return [json.dumps([float(f"{x:.7g}") for x in result["embedding"]])]


def cells_of_text(result: Fields) -> list[Cell]:
    return [result["generated_text"]]


def cells_of_hits(result: Fields) -> list[Cell]:
    """The best row's text and score, and its other columns with those of the others."""
    hits = result["hits"]
    if not hits:
        return ["", 0.0, ""]
    rows = [dict(hit["row"]) for hit in hits]
    return [hits[0]["text"], float(hits[0]["score"]), json.dumps(rows, ensure_ascii=False)]


NO_TABLE = AddedColumns((), lambda _: [])
MASKS = AddedColumns(("filled", "candidates"), cells_of_masks)
LABELS = AddedColumns(("label", "score", "all"), cells_of_labels)
SIMILARITY = AddedColumns(("label", "score"), cells_of_similarity)
CHECK = AddedColumns(("corrected", "suspects"), cells_of_check)
SCORE = AddedColumns(("perplexity",), cells_of_score)
ENTITIES = AddedColumns(("entities",), cells_of_entities)
EMBEDDING = AddedColumns(("embedding",), cells_of_embedding)
HITS = AddedColumns(("found", "score", "rows"), cells_of_hits)
TEXT = AddedColumns(("generated_text",), cells_of_text)


def hf_masks(result: Fields, _: Fields) -> Any:
    masks = [
        [
            {
                "score": one["score"],
                "token": one["token_id"],
                "token_str": one["token"],
                "sequence": one["sequence"],
            }
            for one in mask["candidates"]
        ]
        for mask in result["masks"]
    ]
    return masks[0] if len(masks) == 1 else masks


def hf_labels(result: Fields, _: Fields) -> Any:
    pairs = zip(result["labels"], result["scores"], strict=True)
    return [{"label": label, "score": score} for label, score in pairs]


def hf_entities(result: Fields, parameters: Fields) -> Any:
    name = "entity" if parameters.get("aggregation_strategy") == "none" else "entity_group"
    return [
        {
            name: one["label"],
            "score": one["score"],
            "word": one["text"],
            "start": one["start"],
            "end": one["end"],
        }
        for one in result["entities"]
    ]


def hf_similarities(result: Fields, _: Fields) -> Any:
    by_index = {one["index"]: one["score"] for one in result["ranking"]}
    return [by_index[index] for index in sorted(by_index)]


def hf_embedding(result: Fields, _: Fields) -> Any:
    return result["embedding"]
