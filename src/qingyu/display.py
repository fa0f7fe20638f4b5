"""Results as rows of a table, and as HTML for a notebook. A result is any dataclass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from html import escape
from typing import Any

NUMBERS_SHOWN = 6  # of a vector
CHARACTERS_SHOWN = 500  # of a text
ROWS_SHOWN = 100
STYLE = "text-align:left;vertical-align:top"


def rows(result: Any) -> list[dict[str, Any]]:
    """A row for each part of a result (entity, suspect, candidate, label), or one for all of it.

    What is said of the whole stands in every row, but for texts that repeat `text`. A part's field
    of a name that the whole has, too, is called after its place: `entities_text`.
    """
    fields = vars(result)
    whole = {name: value for name, value in fields.items() if _plain(value)}
    if "labels" in fields and "scores" in fields:
        pairs = zip(fields["labels"], fields["scores"], strict=True)
        return [{**whole, "label": label, "score": score} for label, score in pairs]
    for name, parts in fields.items():
        if isinstance(parts, tuple) and parts and is_dataclass(parts[0]):
            inner = [row for part in parts for row in rows(part)]
            return [_joined(whole, row, name) for row in inner]
    vectors = {name: value for name, value in fields.items() if _is_vector(value)}
    return [{**whole, **vectors}]


def columns(made: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns of one length, with None where a row has not that field."""
    names = dict.fromkeys(name for row in made for name in row)
    return {name: [row.get(name) for row in made] for name in names}


def html(result: Any) -> str:
    """A result as a table; everything that came from outside is escaped."""
    return _table([[name, _value(value)] for name, value in vars(result).items()])


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def _is_vector(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], float)


def _joined(whole: dict[str, Any], part: dict[str, Any], place: str) -> dict[str, Any]:
    return {
        **whole,
        **{(f"{place}_{name}" if name in whole else name): value for name, value in part.items()},
    }


def _value(value: Any) -> str:
    """One value as HTML."""
    if isinstance(value, float):
        return f"{value:.4f}"
    if _is_vector(value):
        shown = ", ".join(f"{number:.4f}" for number in value[:NUMBERS_SHOWN])
        return shown + (f", … ({len(value)})" if len(value) > NUMBERS_SHOWN else "")
    if is_dataclass(value):
        return html(value)
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        made = columns([dict(vars(part)) for part in value[:ROWS_SHOWN]])
        cells = zip(*made.values(), strict=True)
        more = f"<div>… ({len(value)})</div>" if len(value) > ROWS_SHOWN else ""
        return _table([[_value(one) for one in row] for row in cells], list(made)) + more
    if isinstance(value, tuple):
        return ", ".join(_value(one) for one in value)
    text = str(value)
    cut = text if len(text) <= CHARACTERS_SHOWN else text[:CHARACTERS_SHOWN] + "…"
    return escape(cut)


def _table(cells: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """A table of cells that are HTML; without a head, the first column names the rows."""
    lines = ["<table>"]
    if head:
        names = "".join(f'<th style="{STYLE}">{escape(name)}</th>' for name in head)
        lines.append(f"<thead><tr>{names}</tr></thead>")
    for row in cells:
        tags = ["td" if head else "th", *["td"] * (len(row) - 1)]
        told = [f'<{tag} style="{STYLE}">{one}</{tag}>' for tag, one in zip(tags, row, strict=True)]
        lines.append(f"<tr>{''.join(told)}</tr>")
    return "".join([*lines, "</table>"])
