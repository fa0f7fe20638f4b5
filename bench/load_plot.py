"""Throughput and latency over the number of users, as an SVG that needs no library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, GAP = 380, 240, 56, 34, 40
INK, GRID, MAIN, SECOND = "#24343a", "#dfe6e8", "#0c6b75", "#b03a2b"


def plot(rows: Sequence[Any]) -> str:
    """Two panels: requests a second, and P50 and P95 in ms (both axes of the latter by powers)."""
    total = 2 * (WIDTH + LEFT) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {HEIGHT + TOP + 48}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{total}" height="{HEIGHT + TOP + 48}" fill="#fff"/>',
        _panel(rows, 0, "requests/s", [("answered", MAIN, lambda r: r.per_second)], False),
        _panel(
            rows,
            WIDTH + LEFT + GAP,
            "latency, ms",
            [("P50", MAIN, lambda r: r.p50), ("P95", SECOND, lambda r: r.p95)],
            True,
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(
    rows: Sequence[Any],
    left: int,
    title: str,
    lines: list[tuple[str, str, Callable[[Any], float]]],
    powers: bool,
) -> str:
    values = [v for _, _, pick in lines for r in rows if math.isfinite(v := pick(r))] or [1.0]
    top = max(values) * 1.1
    bottom = max(0.1, min(values) * 0.7) if powers else 0.0

    def x(users: float) -> float:
        last = math.log2(max(r.users for r in rows)) or 1
        return left + LEFT + math.log2(users) / last * (WIDTH - 20)

    def y(value: float) -> float:
        share = (
            math.log(value / bottom) / math.log(top / bottom)
            if powers
            else (value - bottom) / (top - bottom)
        )
        return TOP + HEIGHT * (1 - share)

    parts = [f'<text x="{left + LEFT}" y="20" font-weight="600">{title}</text>']
    parts += [
        f'<path d="M{left + LEFT} {y(value):.1f}h{WIDTH - 20}" stroke="{GRID}"/>'
        f'<text x="{left + LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
        for value in _marks(bottom, top, powers)
    ]
    parts += [
        f'<text x="{x(row.users):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">'
        f"{row.users}</text>"
        for row in rows
    ]
    middle = left + LEFT + WIDTH / 2
    parts.append(
        f'<text x="{middle}" y="{TOP + HEIGHT + 38}" text-anchor="middle">concurrent users</text>'
    )
    for number, (name, colour, pick) in enumerate(lines):
        points = [(x(r.users), y(pick(r))) for r in rows if math.isfinite(pick(r))]
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        parts.append(
            f'<text x="{left + LEFT + 130 + 60 * number}" y="20" fill="{colour}">{name}</text>'
        )
    return "\n".join(parts)


def _marks(bottom: float, top: float, powers: bool) -> list[float]:
    """Round numbers between the ends."""
    if powers:
        tens = range(math.floor(math.log10(bottom)), math.ceil(math.log10(top)) + 1)
        marks = [step * 10.0**ten for ten in tens for step in (1, 2, 5)]
        return [mark for mark in marks if bottom <= mark <= top]
    step = 10.0 ** math.floor(math.log10(top / 2))
    step *= next(times for times in (1, 2, 5, 10) if top / (step * times) <= 6)
    return [step * i for i in range(int(top / step) + 1)]
