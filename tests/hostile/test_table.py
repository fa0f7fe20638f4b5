"""The manual's table of attacks has a row for each kind that there is."""

from __future__ import annotations

from pathlib import Path

from .attacks import KINDS
from .harness import LIGHT_SECONDS, PEAK_MB

DOCS = Path(__file__).parents[2] / "docs"
HEAD = {"security.md": "| kind |", "zh/security.md": "| 种类 |"}


def rows(page: str) -> list[list[str]]:
    lines = (DOCS / page).read_text("utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(HEAD[page])) + 2
    end = lines.index("", start)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:end]]


def test_each_kind_of_attack_has_its_row() -> None:
    """Kinds are told by name, in both languages with the same figures, and keep the promise."""
    english, chinese = (rows(page) for page in HEAD)
    assert [row[0] for row in english] == list(KINDS)
    assert [row[1:] for row in english] == [row[1:] for row in chinese]
    for _, light, live, peak, _ in english:
        assert max(float(light), float(live)) <= LIGHT_SECONDS * 1e3
        assert float(peak) <= PEAK_MB
