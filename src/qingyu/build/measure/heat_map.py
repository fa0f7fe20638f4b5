"""A heat map of what batches of texts take, as one SVG picture and no library."""

from __future__ import annotations

from xml.sax.saxutils import escape

from qingyu.build.measure.footprint import Footprint

CELL, LEFT, TOP = (120, 44), 110, 76


def heat_map(name: str, usage: Footprint) -> str:
    """Batches across, lengths down; each cell says megabytes and milliseconds."""
    batches = sorted({shape.batch for shape in usage.shapes})
    lengths = sorted({shape.length for shape in usage.shapes})
    most = max([shape.bytes for shape in usage.shapes] + [1])
    width, height = LEFT + CELL[0] * len(batches) + 20, TOP + CELL[1] * len(lengths) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(16, 26, f"{name}: 激活内存 activation memory", 15),
        _text(16, 48, f"权重与运行时 weights and runtime: {usage.loaded / 1e6:.0f} MB"),
    ]
    for column, batch in enumerate(batches):
        parts.append(_text(LEFT + CELL[0] * column + 8, TOP - 8, f"× {batch}"))
    for row, length in enumerate(lengths):
        parts.append(_text(16, TOP + CELL[1] * row + 27, f"{length} tokens"))
    for shape in usage.shapes:
        x = LEFT + CELL[0] * batches.index(shape.batch)
        y = TOP + CELL[1] * lengths.index(shape.length)
        share = shape.bytes / most
        red, green, blue = (round(255 - share * fall) for fall in (40, 150, 190))
        parts.append(
            f'<rect x="{x}" y="{y}" width="{CELL[0] - 3}" height="{CELL[1] - 3}" rx="4" '
            f'fill="rgb({red},{green},{blue})"/>'
        )
        parts.append(_text(x + 8, y + 18, f"{shape.bytes / 1e6:.1f} MB"))
        parts.append(_text(x + 8, y + 35, f"{shape.seconds * 1e3:.1f} ms", 11))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: int, y: int, text: str, size: int = 13) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="#222">{escape(text)}</text>'
