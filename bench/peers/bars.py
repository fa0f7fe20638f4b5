"""Ratios as bars, in an SVG that needs no library; colours are those of bench/load_plot.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

INK, GRID, MAIN, SECOND = "#24343a", "#dfe6e8", "#0c6b75", "#b03a2b"
LABEL, WIDTH, ROW, TOP, GAP = 170, 190, 18, 40, 24


@dataclass(frozen=True)
class Bar:
    """A peer's median ratio and its least and most over the rounds."""

    name: str
    value: float
    least: float
    most: float


def plot(panels: Sequence[tuple[str, Sequence[Bar]]], limit: float = 6.0) -> str:
    """Panels side by side, the same peers in each; a line stands at 1, bars end at `limit`."""
    rows = [bar.name for bar in panels[0][1]]
    height = TOP + ROW * len(rows) + 30
    total = LABEL + len(panels) * (WIDTH + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{total}" height="{height}" fill="#fff"/>',
    ]
    for row, name in enumerate(rows):
        parts.append(
            f'<text x="{LABEL - 8}" y="{TOP + ROW * row + 13}" text-anchor="end">{name}</text>'
        )
    for number, (title, bars) in enumerate(panels):
        parts += panel(LABEL + number * (WIDTH + GAP), title, bars, limit)
    return "\n".join([*parts, "</svg>"]) + "\n"


def panel(left: int, title: str, bars: Sequence[Bar], limit: float) -> list[str]:
    def x(value: float) -> float:
        return left + min(value, limit) / limit * WIDTH

    bottom = TOP + ROW * len(bars)
    parts = [f'<text x="{left}" y="22" font-weight="600">{title}</text>']
    for mark in range(int(limit) + 1):
        colour = INK if mark == 1 else GRID
        parts.append(f'<path d="M{x(mark):.1f} {TOP}V{bottom}" stroke="{colour}"/>')
        parts.append(
            f'<text x="{x(mark):.1f}" y="{bottom + 16}" text-anchor="middle">{mark}</text>'
        )
    for row, bar in enumerate(bars):
        y = TOP + ROW * row + 3
        colour = MAIN if bar.value >= 1 else SECOND
        parts.append(
            f'<rect x="{left}" y="{y}" width="{x(bar.value) - left:.1f}" height="{ROW - 6}" '
            f'fill="{colour}"/>'
            f'<path d="M{x(bar.least):.1f} {y + 6}H{x(bar.most):.1f}" stroke="{INK}"/>'
        )
        if bar.value > limit:
            parts.append(
                f'<text x="{x(limit) - 4:.1f}" y="{y + 10}" text-anchor="end" fill="#fff">'
                f"{bar.value:.0f}</text>"
            )
    return parts
